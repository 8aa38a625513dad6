{#- A text, number or truth value of a JSON document as text; null where it is absent or null. -#}
{% macro json_text(document, path) -%}
    {{ 'get_json_object' if target.type == 'spark' else 'json_extract_string' }}({{ document }}, '{{ path }}')
{%- endmacro %}

{#- A list of texts of a JSON document; null where there is none. -#}
{% macro json_texts(document, path) -%}
    {%- if target.type == 'spark' -%}
        from_json(get_json_object({{ document }}, '{{ path }}'), 'array<string>')
    {%- else -%}
        cast(from_json(json_extract({{ document }}, '{{ path }}'), '["varchar"]') as varchar[])
    {%- endif -%}
{%- endmacro %}

{#- As a column of a select: one row for each place of a list that is not empty, from 0. -#}
{% macro each_place(list) -%}
    {%- if target.type == 'spark' -%}
        explode(sequence(0, size({{ list }}) - 1))
    {%- else -%}
        unnest(range(len({{ list }})))
    {%- endif -%}
{%- endmacro %}

{#- What stands at a place of a list, counted from 0; null where it ends before, or is null. -#}
{% macro at_place(list, place) -%}
    {%- if target.type == 'spark' -%}
        get({{ list }}, {{ place }})
    {%- else -%}
        {{ list }}[{{ place }} + 1]
    {%- endif -%}
{%- endmacro %}
