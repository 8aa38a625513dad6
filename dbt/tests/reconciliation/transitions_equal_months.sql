-- Who came to a segment in a month is in it at its end, and who left from one was in it a month before.
with transitions as (

    select * from {{ ref('fct_segment_transitions') }}

),

customer_months as (

    select * from {{ ref('fct_customer_months') }}

),

cells as (

    select
        shop_id,
        month,
        scheme,
        to_segment as segment,
        sum(customers) as customers
    from transitions
    where to_segment <> 'not_a_customer'
    group by shop_id, month, scheme, to_segment
    union all
    select
        shop_id,
        {{ months_later('month', -1) }} as month,
        concat('from ', scheme) as scheme,
        from_segment as segment,
        sum(customers) as customers
    from transitions
    where from_segment <> 'not_a_customer'
    group by shop_id, month, scheme, from_segment

),

named as (

    {% for scheme, column in (('rfm', 'segment'), ('classic', 'classic_segment'), ('layer', 'layer')) %}
        select
            shop_id,
            month,
            '{{ scheme }}' as scheme,
            {{ column }} as segment
        from customer_months
        where {{ column }} is not null
        {{ 'union all' if not loop.last }}
    {% endfor %}

),

matrices as (

    select distinct
        shop_id,
        month
    from transitions

),

months as (

    select
        named.shop_id,
        named.month,
        named.scheme,
        named.segment,
        count(*) as customers
    from named
    inner join matrices on named.shop_id = matrices.shop_id and named.month = matrices.month
    group by named.shop_id, named.month, named.scheme, named.segment
    union all
    select
        named.shop_id,
        named.month,
        concat('from ', named.scheme) as scheme,
        named.segment,
        count(*) as customers
    from named
    inner join matrices
        on named.shop_id = matrices.shop_id and {{ months_later('named.month', 1) }} = matrices.month
    group by named.shop_id, named.month, named.scheme, named.segment

)

{{ unequal('cells', 'months', ['shop_id', 'month', 'scheme', 'segment'], ['customers']) }}
