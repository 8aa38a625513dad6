{#-
    A day's build (ops.marts_changes) reads and writes only what the newest silver may have changed. The schema `touched` names it:
    persons, orders and days by shop, and shops whose channels were fitted anew. A full build, and every build on Spark, has none
    of these conditions. Without a person is the person ''. What is of a person before the first instant that has changed
    (`since`) stays as it is.
-#}
{% macro is_touched(by, column=none, rows=none) -%}
    {%- set of = rows ~ '.' if rows else '' -%}
    {%- if by == 'persons' -%}
        ({{ of }}shop_id, coalesce({{ of }}{{ column or 'person_id' }}, '')) in (select shop_id, person_id from touched.persons)
    {%- elif by in ('orders', 'reached_orders') -%}
        ({{ of }}shop_id, {{ of }}order_id) in (select shop_id, order_id from touched.{{ by }})
    {%- elif by == 'retouched' -%}
        ({{ of }}shop_id, {{ of }}order_id) in (select shop_id, order_id from touched.retouched_orders)
    {%- elif by in ('visits', 'sessions', 'categorised') -%}
        ({{ of }}shop_id, {{ of }}session_key) in (select shop_id, session_key from touched.{{ by }})
    {%- elif by in ('days', 'event_days') -%}
        ({{ of }}shop_id, {{ of }}{{ column or 'shop_date' }}) in (select shop_id, shop_date from touched.{{ by }})
    {%- elif by == 'months' -%}
        ({{ of }}shop_id, {{ of }}{{ column or 'month' }}) in (select shop_id, month from touched.state_months)
    {%- elif by == 'fits' -%}
        {{ of }}shop_id in (select shop_id from touched.fits)
    {%- endif -%}
{%- endmacro %}

{#- What one item did on one day: of a touched day, or with an order of which something has changed. -#}
{% macro is_touched_item_day(day='shop_date', of='') -%}
    (({{ of }}shop_id, {{ day }}) in (select shop_id, shop_date from touched.days)
    or ({{ of }}shop_id, {{ day }}, {{ of }}item_id) in (select shop_id, shop_date, item_id from touched.item_days))
{%- endmacro %}

{% macro is_day_of_touched_item(day) -%}
    ({{ is_touched('days', day) }} or (shop_id, {{ day }}) in (select shop_id, shop_date from touched.item_days))
{%- endmacro %}

{#- The items of these orders before this build are there already (ops.marts_changes). -#}
{% macro touch_items_of_concerned_orders() -%}
    {%- if is_incremental() -%}
        insert into touched.item_days
        select distinct days.shop_id, days.shop_date, items.item_id
        from touched.order_days as days
        inner join {{ this.schema }}.fct_order_items as items on days.shop_id = items.shop_id and days.order_id = items.order_id
    {%- endif -%}
{%- endmacro %}

{#-
    Daily features: of an instant that was not chosen before, and of persons touched before it; of items all those of an instant
    before which something has changed. `touched.as_of_kept` and `touched.as_of_kept_of_items` are the others.
-#}
{% macro keep_as_of_days() -%}
    {%- if is_day_build() -%}
        create or replace table touched.as_of_kept as (from {{ this }} intersect from touched.as_of_before);
        create or replace table touched.person_instants as
        select persons.shop_id, persons.person_id, kept.event_timestamp
        from touched.persons as persons
        inner join touched.as_of_kept as kept
            on persons.shop_id = kept.shop_id and persons.since < kept.event_timestamp;
        create or replace table touched.as_of_kept_of_items as
        with received as (
            select shop_id, received_at from touched.changed_events
            union all
            select shop_id, received_at from touched.changed_orders
            union all
            select shop_id, received_at from silver.orders
            where (shop_id, order_id) in (select shop_id, order_id from touched.changed_order_lines)
        )
        select kept.shop_id, kept.event_timestamp
        from touched.as_of_kept as kept
        left join (select shop_id, min(received_at) as received_at from received group by shop_id) as firsts
            on kept.shop_id = firsts.shop_id
        where
            (firsts.received_at is null or firsts.received_at >= kept.event_timestamp)
            and kept.shop_id not in (select shop_id from touched.whole_shops)
    {%- endif -%}
{%- endmacro %}

{% macro is_touched_feature(view, as_of='', persons='') -%}
    {%- if view == 'items' -%}
        ({{ as_of }}shop_id, {{ as_of }}event_timestamp) not in (select shop_id, event_timestamp from touched.as_of_kept_of_items)
    {%- else -%}
        (({{ as_of }}shop_id, {{ as_of }}event_timestamp) not in (select shop_id, event_timestamp from touched.as_of_kept)
        or ({{ as_of }}shop_id, {{ persons }}person_id, {{ as_of }}event_timestamp) in (
            select shop_id, person_id, event_timestamp from touched.person_instants
        ))
    {%- endif -%}
{%- endmacro %}

{#- The condition as all of a where clause. -#}
{% macro where_touched(by, column=none) -%}
    {%- if is_incremental() %}where {{ is_touched(by, column) }}{% endif -%}
{%- endmacro %}

{#- The same behind other conditions. -#}
{% macro and_touched(by, column=none) -%}
    {%- if is_incremental() %}and {{ is_touched(by, column) }}{% endif -%}
{%- endmacro %}

{#-
    Weights of orders whose touches have changed, and of all orders by the models whose fit is a new one; credits also of orders
    of which something was changed or refunded, or that have become, or were, their person's first one that was kept.
-#}
{% macro is_of_touched_weight() -%}
    ({{ is_touched('retouched') }} or {{ is_of_touched_fit() }})
{%- endmacro %}

{% macro is_of_touched_credit() -%}
    ((shop_id, order_id) in (
        select shop_id, order_id from touched.retouched_orders
        union all
        select shop_id, order_id from touched.concerned_orders
        union all
        select shop_id, order_id from touched.acquiring_orders
        union all
        select shop_id, order_id from touched.orders where shop_id in (select shop_id from touched.whole_shops)
    ) or {{ is_of_touched_fit() }})
{%- endmacro %}

{% macro is_of_touched_fit() -%}
    ({{ is_touched('fits') }} and model not in ('{{ heuristic_models() | join("', '") }}'))
{%- endmacro %}

{% macro keep_touches_before() -%}
    {%- if is_incremental() -%}
        create or replace table touched.touches_before as
        select * from {{ this }} where {{ is_touched('reached_orders') }}
    {%- endif -%}
{%- endmacro %}

{% macro retouch_orders() -%}
    {%- if is_incremental() -%}
        create or replace table touched.retouched_orders as
        select distinct shop_id, order_id from (
            (from {{ written(this) }} except from touched.touches_before)
            union all (from touched.touches_before except from {{ written(this) }})
        )
    {%- endif -%}
{%- endmacro %}

{% macro keep_changed_acquisitions() -%}
    {%- if is_day_build() -%}
        create or replace table touched.acquiring_orders as
        (from {{ this }} except from touched.acquired_before) union (from touched.acquired_before except from {{ this }})
    {%- endif -%}
{%- endmacro %}

{#- Before a day's rows are written: away with those that they replace. Publication does the same (ops.marts_file). -#}
{% macro delete_where(condition) -%}
    {%- if is_incremental() and execute -%}
        {%- do run_query("insert into touched.replaced values ('" ~ this.identifier ~ "', $$" ~ condition ~ "$$)") -%}
        delete from {{ this }} where {{ condition }}
    {%- endif -%}
{%- endmacro %}

{#- The rows that a day's build wrote of an incremental model. -#}
{% macro written(model) -%}
    touched.written_{{ model.identifier }}
{%- endmacro %}

{#-
    Of a model that is continued by the same condition: in a day's build what it has just written, else all its rows. Thresholds
    change the months of `is_touched_state` between states that are summed and those that are scored.
-#}
{% macro now_written(model) -%}
    {%- if is_incremental() %}{{ written(model) }}{% else %}{{ model }}{% endif -%}
{%- endmacro %}

{#- Who has become a bot, or is none any more, changes all days on which this person came. -#}
{% macro keep_bots_before() -%}
    {%- if is_incremental() -%}
        create or replace table touched.bots_before as
        select * from {{ this }} where {{ is_touched('persons') }}
    {%- endif -%}
{%- endmacro %}

{% macro touch_days_of_changed_bots(table, rows) -%}
    {%- if is_incremental() -%}
        insert into touched.{{ table }}
        select distinct shop_id, {{ 'started_date' if rows == 'sessions' else 'occurred_date' }} as shop_date
        from silver.{{ rows }}
        where (shop_id, person_id) in (select shop_id, person_id from touched.changed_bots)
    {%- endif -%}
{%- endmacro %}

{% macro touch_sessions_of_changed_bots() -%}
    {%- if is_incremental() -%}
        insert into touched.sessions
        select shop_id, session_key
        from silver.sessions
        where (shop_id, person_id) in (select shop_id, person_id from touched.changed_bots)
    {%- endif -%}
{%- endmacro %}

{#- Whose visits count for orders anew: a person who has become a bot, or is none any more, from the first one on. -#}
{% macro reach_changed_bots() -%}
    {%- if is_incremental() -%}
        create or replace table touched.changed_bots as
        (from {{ written(this) }} except from touched.bots_before)
        union (from touched.bots_before except from {{ written(this) }});
        create or replace table touched.reached_persons as
        select persons.shop_id, persons.person_id,
            case when bots.person_id is null then persons.since else timestamp '0001-01-01' end as since
        from touched.persons as persons
        left join touched.changed_bots as bots on persons.shop_id = bots.shop_id and persons.person_id = bots.person_id;
        create or replace table touched.reached_orders as
        from touched.orders
        union
        select shop_id, order_id, person_id from silver.orders
        where (shop_id, person_id) in (select shop_id, person_id from touched.changed_bots)
    {%- endif -%}
{%- endmacro %}

{#-
    Journeys from the last order before a person's first change on: those that led to an order since then, and those that came to
    nothing after so many orders (as many more as there may have been, before or now).
-#}
{% macro reach_journeys() -%}
    {%- if is_incremental() -%}
        create or replace table touched.journeys_from as
        select persons.shop_id, persons.person_id, persons.since,
            count(orders.order_id) as orders_before, max(orders.paid_at) as last_paid_at
        from touched.reached_persons as persons
        left join {{ this.schema }}.fct_orders as orders
            on persons.shop_id = orders.shop_id and persons.person_id = orders.person_id and orders.paid_at < persons.since
        group by all;
        create or replace table touched.journeys as
        with later as (select shop_id, person_id, count(*) as orders from touched.reached_orders group by all)
        select shop_id, concat('order|', order_id) as journey_key from touched.reached_orders
        union
        select shop_id, concat('none|', person_id, '|', unnest(range(
            orders_before, orders_before + coalesce(later.orders, 0) + 1
        ))) as journey_key
        from touched.journeys_from left join later using (shop_id, person_id)
    {%- endif -%}
{%- endmacro %}

{% macro is_of_touched_journey() -%}
    (shop_id, journey_key) in (select shop_id, journey_key from touched.journeys)
{%- endmacro %}

{#- Spark's tables are files that nothing is deleted from: there every build is a full one. -#}
{% macro incremental_on_duckdb() %}{{ return('table' if target.type == 'spark' else 'incremental') }}{% endmacro %}

{#- Whether a build continues the last one, for tests and for the hooks of models that are made anew in both. -#}
{% macro is_day_build() -%}
    {%- if execute and target.type == 'duckdb' -%}
        {{ return(adapter.get_relation(target.database, 'touched', 'replaced') is not none) }}
    {%- endif -%}
    {{ return(false) }}
{%- endmacro %}

{#-
    States of customers at the end of a month: of a touched person since then, and of a month that was not over, or has other
    thresholds, than in the last build. `touched.months_kept` are the others. A day of a shop begins within one of UTC's.
-#}
{% macro is_touched_state(months='', persons='') -%}
    {%- set month, person = months ~ ('.' if months else ''), persons ~ ('.' if persons else '') -%}
    (({{ month }}shop_id, {{ month }}month) not in (select shop_id, month from touched.months_kept)
    or ({{ month }}shop_id, {{ month }}month, {{ person }}person_id) in (
        select shop_id, month, person_id from touched.person_months
    ))
{%- endmacro %}

{% macro keep_unchanged_months() -%}
    {%- if is_day_build() -%}
        create or replace table touched.months_kept as
        select shop_id, month from (from {{ this }} intersect from touched.months_before);
        create or replace table touched.person_months as
        select persons.shop_id, persons.person_id, kept.month
        from touched.persons as persons
        inner join touched.months_kept as kept
            on persons.shop_id = kept.shop_id and kept.month >= date_trunc('month', persons.since - interval '1' day)
    {%- endif -%}
{%- endmacro %}

{% macro drop_months_of_changed_thresholds() -%}
    {%- if is_day_build() -%}
        delete from touched.months_kept where (shop_id, month) in (
            select shop_id, month from (
                (from {{ this }} except from touched.thresholds_before)
                union (from touched.thresholds_before except from {{ this }})
            )
        )
    {%- endif -%}
{%- endmacro %}

{% macro keep_states_before() -%}
    {%- if is_incremental() -%}
        create or replace table touched.states_before as select * from {{ this }} where {{ is_touched_state() }}
    {%- endif -%}
{%- endmacro %}

{#- Months in which a state has become another one, and the months after them, which compare with these. -#}
{% macro touch_months_of_changed_states() -%}
    {%- if is_incremental() -%}
        create or replace table touched.state_months as
        with changed as (
            select shop_id, month from (
                (from {{ written(this) }} except from touched.states_before)
                union (from touched.states_before except from {{ written(this) }})
            )
            union
            select shop_id, month from {{ this.schema }}.int_shop_months_spanned
            where (shop_id, month) not in (select shop_id, month from touched.months_kept)
            union
            select shop_id, month from touched.months_before
            where (shop_id, month) not in (select shop_id, month from touched.months_kept)
        )
        select shop_id, month from changed
        union
        select shop_id, {{ months_later('month', 1) }} as month from changed
    {%- endif -%}
{%- endmacro %}

{#-
    Of a test, in a build that continues the last one, which passed: only rows that this one wrote, and rows of silver with a key
    of which a row has changed. What is left out was tested as it is.
-#}
{% macro only_rewritten(model, keys) -%}
    {%- if is_day_build() -%}
        {%- set name = ((model | string).split('.') | last).replace('"', '') -%}
        {%- set asked = "select condition from touched.replaced where mart = '" ~ name ~ "'" -%}
        {%- set rewritten = run_query(asked).columns[0].values() -%}
        {%- set changed = 'changed_' ~ name.replace('stg_lake__', '') -%}
        {%- if rewritten -%}
            where {{ rewritten[0] }}
        {%- elif name.startswith('stg_lake__') and adapter.get_relation(target.database, 'touched', changed) is not none -%}
            where
                ({{ keys | join(', ') }}) in (select {{ keys | join(', ') }} from touched.{{ changed }})
                or shop_id in (select shop_id from touched.whole_shops)
        {%- endif -%}
    {%- endif -%}
{%- endmacro %}

{#- What a day's build wrote of an incremental model, for a test; all its rows after a full one. -#}
{% macro written_in_day_build(model) -%}
    {%- if is_day_build() %}{{ written(model) }}{% else %}{{ model }}{% endif -%}
{%- endmacro %}

{% macro only_in_day_build(condition) -%}
    {%- if is_day_build() -%}where {{ condition }}{%- endif -%}
{%- endmacro %}
