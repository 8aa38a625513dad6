{#- Rows that name a parent which their own shop does not have. -#}
{% test relationships_within_shop(model, column_name, to, field) %}
select
    children.shop_id,
    children.{{ column_name }}
from {{ model }} as children
left join {{ to }} as parents on children.shop_id = parents.shop_id and children.{{ column_name }} = parents.{{ field }}
where children.{{ column_name }} is not null and parents.{{ field }} is null
{% endtest %}
