{#-
    The weight of a touch among those of its order, of which int_touch_weights_set knows the place. Position: 40 % for the first
    and the last, 20 % for all between; a touch alone has all, two have half each. Time decay: half as much for each
    attribution_half_life_days before the last touch, in millionths.
-#}
{% macro weight_of_touch(model) -%}
    {%- if model == 'first' -%}
        case when touch_number = 1 then 1 else 0 end
    {%- elif model == 'last' -%}
        case when touch_number = touches then 1 else 0 end
    {%- elif model == 'last_non_direct' -%}
        case when touch_number = coalesce(last_non_direct_number, touches) then 1 else 0 end
    {%- elif model == 'linear' -%}
        1
    {%- elif model == 'position' -%}
        case when touches > 2 and touch_number in (1, touches) then 2 * (touches - 2) else 1 end
    {%- elif model == 'time_decay' -%}
        round(1e6 * power(0.5e0, -cast(since_last_ms as double) / ({{ var('attribution_half_life_days') }} * 86400000e0)))
    {%- endif -%}
{%- endmacro %}
