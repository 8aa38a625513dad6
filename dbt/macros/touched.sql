{#-
    A day's build (ops.marts_changes) reads and writes only what the newest silver may have changed. The schema `touched` names it:
    persons, orders and days by shop, and shops whose channels were fitted anew. A full build, and every build on Spark, has none
    of these conditions. Without a person is the person ''.
-#}
{% macro is_touched(by, column=none) -%}
    {%- if by == 'persons' -%}
        (shop_id, coalesce({{ column or 'person_id' }}, '')) in (select shop_id, person_id from touched.persons)
    {%- elif by == 'orders' -%}
        (shop_id, order_id) in (select shop_id, order_id from touched.orders)
    {%- elif by == 'days' -%}
        (shop_id, {{ column or 'shop_date' }}) in (select shop_id, shop_date from touched.days)
    {%- elif by == 'fits' -%}
        shop_id in (select shop_id from touched.fits)
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

{#- Credits and weights of touched orders, and of all orders by the models whose fit is a new one. -#}
{% macro is_of_touched_credit() -%}
    ({{ is_touched('orders') }} or (
        {{ is_touched('fits') }} and model not in ('{{ heuristic_models() | join("', '") }}')
    ))
{%- endmacro %}

{% macro where_touched_credit() -%}
    {%- if is_incremental() %}where {{ is_of_touched_credit() }}{% endif -%}
{%- endmacro %}

{#- Before a day's rows are written: away with those that they replace. Publication does the same (ops.marts_file). -#}
{% macro delete_where(condition) -%}
    {%- if is_incremental() and execute -%}
        {%- do run_query("insert into touched.replaced values ('" ~ this.identifier ~ "', $$" ~ condition ~ "$$)") -%}
        delete from {{ this }} where {{ condition }}
    {%- endif -%}
{%- endmacro %}

{#- Who has become a bot, or is none any more, changes all days on which this person came. -#}
{% macro keep_bots_before() -%}
    {%- if is_incremental() -%}
        create or replace table touched.bots_before as
        select * from {{ this }} where {{ is_touched('persons') }}
    {%- endif -%}
{%- endmacro %}

{% macro touch_days_of_changed_bots() -%}
    {%- if is_incremental() -%}
        insert into touched.days
        with bots_now as (select * from {{ this }} where {{ is_touched('persons') }}),
        changed as (
            (from bots_now except from touched.bots_before) union (from touched.bots_before except from bots_now)
        )
        select shop_id, occurred_date as shop_date
        from silver.events
        where (shop_id, person_id) in (select shop_id, person_id from changed)
        union
        select shop_id, started_date as shop_date
        from silver.sessions
        where (shop_id, person_id) in (select shop_id, person_id from changed)
    {%- endif -%}
{%- endmacro %}

{#- The journeys of touched persons, and those that led to a touched order. -#}
{% macro is_of_touched_journey() -%}
    ((shop_id, journey_key) in (select shop_id, concat('order|', order_id) from touched.orders)
    or (shop_id, regexp_replace(journey_key, '[|][0-9]+$', '')) in (
        select shop_id, concat('none|', person_id) from touched.persons
    ))
{%- endmacro %}

{#- Spark's tables are files that nothing is deleted from: there every build is a full one. -#}
{% macro incremental_on_duckdb() %}{{ return('table' if target.type == 'spark' else 'incremental') }}{% endmacro %}
