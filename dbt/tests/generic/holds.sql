{#- Every row satisfies the condition; a null counts as a violation. -#}
{% test holds(model, condition) %}
select * from {{ model }} where not coalesce({{ condition }}, false)
{% endtest %}
