{#- On Spark the sources are tables over the same Parquet folders that DuckDB reads in place. -#}
{% macro register_silver_on_spark() %}
    {% if target.type == 'spark' and execute %}
        {% do run_query('create database if not exists lake') %}
        {% for node in graph.sources.values() if node.source_name == 'lake' %}
            {% set folder = env_var('JISHI_SILVER_ROOT') ~ '/' ~ node.name %}
            {% do run_query('drop table if exists lake.' ~ node.name) %}
            {% do run_query(
                'create table lake.' ~ node.name ~ " using parquet options (recursiveFileLookup 'true', path '" ~ folder ~ "')"
            ) %}
        {% endfor %}
    {% endif %}
{% endmacro %}
