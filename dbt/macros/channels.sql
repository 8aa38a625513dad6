{#- The channel of a visit: what it names, else how it came. -#}
{% macro channel_of(visit) -%}
    case
        when {{ visit }}.channel <> '' then {{ visit }}.channel
        when {{ visit }}.share_id is not null then 'share'
        when {{ visit }}.referrer <> '' then 'referral'
        else 'direct'
    end
{%- endmacro %}

{#- The models of attribution that look at one order alone; others are fitted to all visits of a shop (models.attribution). -#}
{% macro heuristic_models() %}
    {{ return(['first', 'last', 'last_non_direct', 'linear', 'position', 'time_decay']) }}
{% endmacro %}
