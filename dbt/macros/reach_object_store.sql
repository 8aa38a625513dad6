{#- On DuckDB: what has to run before a file of the lake can be read; nothing where the lake is a folder. -#}
{% macro reach_object_store() %}
    {% if target.type == 'duckdb' and execute %}
        {% for statement in fromjson(env_var('JISHI_DBT_BEFORE', '[]')) %}
            {% do run_query(statement) %}
        {% endfor %}
    {% endif %}
{% endmacro %}
