{#-
    On DuckDB nobody reads the database while dbt writes it, and each model is one transaction: a table is dropped and made in its
    place, and rows of a day's build are inserted behind those that its hook deleted, and kept by themselves for tests, for
    publication and for what looks at nothing else. The adapter's own materializations make every
    table beside the old one and rename both, and compare columns, which took a day's build longer than most of its queries.
    A day's build runs the SQL of the build that it continues (ops.marts_state), whose columns were compared with the contracts.
-#}
{% materialization table, adapter='duckdb' %}
    {%- set existing = load_cached_relation(this) -%}
    {%- set target_relation = this.incorporate(type='table') -%}
    {{ run_hooks(pre_hooks) }}
    {% call statement('main') -%}
        {% if existing %}drop {{ existing.type }} {{ existing }};{% endif %}
        {% if existing and is_day_build() and config.get('contract').enforced %}
            {{ create_declared_table(target_relation, compiled_code) }}
        {% else %}
            {{ create_table_as(False, target_relation, compiled_code) }}
        {% endif %}
    {%- endcall %}
    {{ run_hooks(post_hooks) }}
    {% do adapter.commit() %}
    {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}

{% materialization incremental, adapter='duckdb' %}
    {%- set target_relation = this.incorporate(type='table') -%}
    {{ run_hooks(pre_hooks) }}
    {% call statement('main') -%}
        {% if is_incremental() %}
            create or replace table {{ written(this) }} as from {{ target_relation }} limit 0;
            insert into {{ written(this) }} by name {{ compiled_code }};
            insert into {{ target_relation }} from {{ written(this) }}
        {% else %}
            {{ create_large_table(target_relation, compiled_code) }}
        {% endif %}
    {%- endcall %}
    {{ run_hooks(post_hooks) }}
    {% do adapter.commit() %}
    {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}
