{#-
    DuckDB packs the bits of integers wider than 64, which is what amounts of `decimal(38, 0)` are, and takes 0.3 µs to unpack each:
    it reads run lengths of them 35 times faster, in a few per cent more space. Publication does the same (ops.marts_file).
-#}
{% macro create_large_table(relation, sql) -%}
    {%- if config.get('contract').enforced -%}
        {{ get_assert_columns_equivalent(sql) }}
        {{- create_declared_table(relation, sql) }}
    {%- else -%}
        {{ _create_packed(relation, run_query('describe ' ~ sql).rows, sql) }}
    {%- endif -%}
{%- endmacro %}

{#- A table of the columns that the model's contract declares, without asking first whether its query has them. -#}
{% macro create_declared_table(relation, sql) -%}
    {%- set columns = [] -%}
    {%- for column in model['columns'].values() -%}
        {%- do columns.append((column['name'], column['data_type'])) -%}
    {%- endfor -%}
    {{ _create_packed(relation, columns, sql) }}
{%- endmacro %}

{% macro _create_packed(relation, columns, sql) -%}
    create table {{ relation }} (
        {%- for column in columns %}
        "{{ column[0] }}" {{ column[1] }} {{- ' using compression rle' if (column[1] | lower).startswith('decimal(38') }}
        {{- ', ' if not loop.last }}
        {%- endfor %}
    );
    insert into {{ relation }} by name {{ sql }}
{%- endmacro %}
