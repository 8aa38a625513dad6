-- At each instant the persons of a shop bought no more units than its items sold, and looked no more often than its items were
-- viewed: what nobody known did is all that lies between.
with persons as (

    select
        shop_id,
        event_timestamp,
        sum(units_30d) as units,
        sum(views_30d) as views
    from {{ ref('person_daily') }}
    group by shop_id, event_timestamp

),

items as (

    select
        shop_id,
        event_timestamp,
        sum(units_30d) as units,
        max(units_30d) as most_units,
        sum(views_30d) as views
    from {{ ref('item_daily') }}
    group by shop_id, event_timestamp

)

select
    persons.shop_id,
    persons.event_timestamp,
    persons.units,
    items.units as units_of_items,
    persons.views,
    items.views as views_of_items
from persons
left join items
    on persons.shop_id = items.shop_id
    and persons.event_timestamp = items.event_timestamp
where
    -- Sums that are cut to the bounds of features do not add up.
    (persons.units > coalesce(items.units, 0) and coalesce(items.most_units, 0) < {{ most_of_feature() }})
    or persons.views > coalesce(items.views, 0)
