{% for scheme, segment, segment_zh, meaning in segments() %}
    select
        '{{ scheme }}' as scheme,
        '{{ segment }}' as segment,
        '{{ segment_zh }}' as segment_zh,
        '{{ meaning }}' as meaning,
        cast({{ loop.index }} as integer) as place
    {{ 'union all' if not loop.last }}
{% endfor %}
