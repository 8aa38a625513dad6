{#-
    A date or instant some days later (earlier, when below zero), in the words that DuckDB and Spark share. dbt.dateadd goes
    through to_timestamp of a number on Spark, which is null where TIMESTAMP means an instant without a zone.
-#}
{% macro days_later(instant, days) %}({{ instant }} + interval '1' day * ({{ days }})){% endmacro %}
