{#- Whether a shop's rule on persons who are no customers means a person. -#}
{% macro rule_means(rule, person) -%}
    {{ person }} = {{ rule }}.person
    or ({{ rule }}.is_prefix and substr({{ person }}, 1, length({{ rule }}.person)) = {{ rule }}.person)
{%- endmacro %}
