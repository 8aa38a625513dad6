{#- A date some months later, in the words that DuckDB and Spark share; its day is one that every month has. -#}
{% macro months_later(day, months) %}cast({{ day }} + interval '1' month * ({{ months }}) as date){% endmacro %}

{#- The first day of the month, or of the week from Monday on, that holds a date. -#}
{% macro first_day_of(part, day) %}cast(date_trunc('{{ part }}', {{ day }}) as date){% endmacro %}
