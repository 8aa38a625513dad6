with compared as (

    select * from {{ ref('int_day_measures_compared') }}

),

missed as (

    select * from {{ ref('int_hours_missed') }}

),

first_seen as (

    select * from {{ ref('int_values_first_seen') }}

),

order_faults as (

    select * from {{ ref('int_order_faults_counted') }}

),

shop_days as (

    select * from {{ ref('fct_shop_days') }}

),

items as (

    select * from {{ ref('stg_lake__items') }}

),

spend as (

    select * from {{ ref('fct_spend') }}

),

checks as (

    {% for check_name, severity, sentence, sentence_zh in quality_checks() %}
        select
            '{{ check_name }}' as check_name,
            '{{ severity }}' as severity,
            '{{ sentence }}' as sentence,
            '{{ sentence_zh }}' as sentence_zh
        {{ 'union all' if not loop.last }}
    {% endfor %}

),

newest as (

    select
        shop_id,
        max(shop_date) as newest_date
    from shop_days
    group by shop_id

),

-- A count is unlike its weekday when it is far out by its own spread and by its size; the middle order by its size alone.
volumes as (

    select
        shop_id,
        shop_date,
        case
            when
                amount < usual - 4 * spread
                and amount < lately - 4 * sqrt(lately)
                and amount < 0.6 * least(usual, recent)
                then concat(measure, '_low')
            when amount > usual + 6 * spread and amount > 2 * greatest(usual, recent) and amount >= 20
                then concat(measure, '_high')
        end as check_name,
        amount as observed,
        usual,
        cast(null as string) as detail
    from compared
    where measure <> 'order_value'

),

order_values as (

    select
        shop_id,
        shop_date,
        case
            when 4 * amount < least(usual, recent) then 'order_value_low'
            when amount > 4 * greatest(usual, recent) then 'order_value_high'
        end as check_name,
        amount / usual as observed,
        cast(1 as double) as usual,
        cast(null as string) as detail
    from compared
    where measure = 'order_value' and usual > 0

),

-- Hours that follow each other are named together.
numbered_hours as (

    select
        shop_id,
        shop_date,
        hour,
        hour - row_number() over (partition by shop_id, shop_date order by hour) as run
    from missed

),

runs_of_hours as (

    select
        shop_id,
        shop_date,
        count(*) as hours,
        min(hour) as first_hour,
        concat(cast(min(hour) as string), '–', cast(max(hour) + 1 as string)) as named
    from numbered_hours
    group by shop_id, shop_date, run

),

hours as (

    select
        shop_id,
        shop_date,
        'hours_missing' as check_name,
        cast(sum(hours) as double) as observed,
        cast(0 as double) as usual,
        concat_ws(
            ', ',
            {% for hour in range(24) %}
                max(case when first_hour = {{ hour }} then named end){{ ',' if not loop.last }}
            {% endfor %}
        ) as detail
    from runs_of_hours
    group by shop_id, shop_date

),

values_seen as (

    select
        shop_id,
        shop_date,
        concat('new_', dimension) as check_name,
        sessions as observed,
        cast(0 as double) as usual,
        seen_value as detail
    from first_seen

),

rates_missing as (

    select
        shop_id,
        shop_date,
        'orders_without_rate' as check_name,
        cast(orders_without_rate as double) as observed,
        cast(0 as double) as usual,
        cast(null as string) as detail
    from shop_days
    where orders_without_rate > 0

),

spend_unrated as (

    select
        shop_id,
        spend_date as shop_date,
        'spend_without_rate' as check_name,
        cast(count(*) as double) as observed,
        cast(0 as double) as usual,
        min(channel) as detail
    from spend
    where spend_minor is null
    group by shop_id, spend_date

),

rates_old as (

    select
        shop_id,
        shop_date,
        'rates_stale' as check_name,
        cast(with_old_rate as double) as observed,
        cast(0 as double) as usual,
        cast(null as string) as detail
    from order_faults
    where with_old_rate > 0

),

repeated as (

    select
        shop_id,
        shop_date,
        'orders_repeated' as check_name,
        cast(repeated as double) as observed,
        cast(0 as double) as usual,
        cast(null as string) as detail
    from order_faults
    where repeated >= 5 and 10 * repeated >= orders

),

items_unknown as (

    select
        shop_id,
        shop_date,
        'items_unknown' as check_name,
        cast(lines_of_unknown_items as double) as observed,
        cast(lines_of_unknown_items_before * order_lines as double) / lines_before as usual,
        cast(null as string) as detail
    from order_faults
    where
        lines_of_unknown_items >= 5
        and 5 * lines_of_unknown_items >= order_lines
        and lines_before >= 100
        and 20 * lines_of_unknown_items_before <= lines_before

),

texts as (

    select
        items.shop_id,
        newest.newest_date as shop_date,
        'texts_garbled' as check_name,
        cast(count(*) as double) as observed,
        cast(0 as double) as usual,
        min(items.item_id) as detail
    from items
    inner join newest on items.shop_id = newest.shop_id
    where {{ is_garbled('items.title') }} or {{ is_garbled('items.title_en') }} or {{ is_garbled('items.category') }}
    group by items.shop_id, newest.newest_date

),

flags as (

    {% for part in (
        'volumes', 'order_values', 'hours', 'values_seen', 'rates_missing', 'spend_unrated', 'rates_old', 'repeated', 'items_unknown',
        'texts'
    ) %}
        select
            shop_id,
            shop_date,
            check_name,
            observed,
            usual,
            detail
        from {{ part }}
        {{ 'union all' if not loop.last }}
    {% endfor %}

)

select
    flags.shop_id,
    flags.shop_date,
    flags.check_name,
    checks.severity,
    flags.observed,
    flags.usual,
    flags.detail,
    checks.sentence,
    checks.sentence_zh
from flags
inner join checks on flags.check_name = checks.check_name
inner join newest on flags.shop_id = newest.shop_id
where flags.shop_date > {{ days_later('newest.newest_date', '-' ~ var('quality_days')) }}
