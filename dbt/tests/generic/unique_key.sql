{% test unique_key(model, columns) %}
select {{ columns | join(', ') }}, count(*) as rows_of_key
from {{ model }}
{{ only_rewritten(model, columns) }}
group by {{ columns | join(', ') }}
having count(*) > 1
{% endtest %}
