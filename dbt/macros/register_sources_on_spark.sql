{#- On Spark the sources are views over Iceberg's tables as of the snapshots of one version; ops.dbt writes their queries. -#}
{% macro register_sources_on_spark() %}
    {% if target.type == 'spark' and execute %}
        {% set queries = fromjson(env_var('JISHI_SPARK_SOURCES')) %}
        {% do run_query('create database if not exists silver') %}
        {% for node in graph.sources.values() if node.source_name == 'lake' %}
            {% do run_query('create or replace view silver.' ~ node.name ~ ' as ' ~ queries[node.name]) %}
        {% endfor %}
    {% endif %}
{% endmacro %}
