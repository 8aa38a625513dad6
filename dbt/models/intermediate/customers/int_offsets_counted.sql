with digits as (

    {% for digit in range(10) %}
        select {{ digit }} as digit
        {{ 'union all' if not loop.last }}
    {% endfor %}

)

select cast(1000 * thousands.digit + 100 * hundreds.digit + 10 * tens.digit + ones.digit as integer) as periods
from digits as thousands
cross join digits as hundreds
cross join digits as tens
cross join digits as ones
