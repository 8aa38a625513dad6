-- A period of a shop is the same by item, price band and category as by day, and its month the same as in the stock.
{% set amounts = [
    'views', 'viewed_visits', 'paid_visits', 'orders', 'units', 'revenue_minor', 'refunded_minor', 'returned_orders'
] %}
with item_days as (

    select * from {{ ref('fct_item_days') }}

),

shop_days as (

    select * from {{ ref('fct_shop_days') }}

),

item_periods as (

    select * from {{ ref('fct_item_periods') }}

),

item_stock as (

    select * from {{ ref('fct_item_stock') }}

),

last_days as (

    select
        shop_id,
        max(shop_date) as last_date
    from shop_days
    group by shop_id

),

summed_days as (

    select
        item_days.shop_id,
        item_days.shop_date,
        last_days.last_date,
    {% for amount in amounts %}
        sum(item_days.{{ amount }}) as {{ amount }}{{ ',' if not loop.last }}
    {% endfor %}
    from item_days
    inner join last_days on item_days.shop_id = last_days.shop_id
    where item_days.shop_date > {{ days_later('last_days.last_date', -90) }}
    group by item_days.shop_id, item_days.shop_date, last_days.last_date

),

days as (

    {% for length in [7, 30, 90] %}
        select
            shop_id,
            {{ length }} as period_days,
        {% for amount in amounts %}
            sum({{ amount }}) as {{ amount }}{{ ',' if not loop.last }}
        {% endfor %}
        from summed_days
        where shop_date > {{ days_later('last_date', -length) }}
        group by shop_id
        {{ 'union all' if not loop.last }}
    {% endfor %}

),

{% for mart in ['fct_item_periods', 'fct_price_bands', 'fct_category_periods'] %}
    of_{{ mart }} as (

        select
            shop_id,
            period_days,
        {% for amount in amounts %}
            sum({{ amount }}) as {{ amount }}{{ ',' if not loop.last }}
        {% endfor %}
        from {{ ref(mart) }}
        group by shop_id, period_days

    ),

    unequal_{{ mart }} as (

        {{ unequal('days', 'of_' ~ mart, ['shop_id', 'period_days'], amounts) }}

    ),
{% endfor %}

other_months as (

    select item_stock.shop_id
    from item_stock
    left join item_periods
        on item_stock.shop_id = item_periods.shop_id
        and item_stock.item_id = item_periods.item_id
        and item_periods.period_days = 30
    where item_stock.units_30d <> coalesce(item_periods.units, 0)

)

{% for mart in ['fct_item_periods', 'fct_price_bands', 'fct_category_periods'] %}
    select shop_id from unequal_{{ mart }}
    union all
{% endfor %}
select shop_id from other_months
