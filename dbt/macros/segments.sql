{#-
    Names of the customer segments: scheme, name, Chinese name, meaning. rfm and classic come from scores, layer from days;
    not_a_customer is where who has not bought yet (or gave everything back) comes from and goes to.
-#}
{% macro segments() %}
    {{ return([
        ('rfm', 'champions', '王牌客户', 'bought lately, often and for much'),
        ('rfm', 'loyal', '忠诚客户', 'buys often or for much, and still comes'),
        ('rfm', 'potential_loyalists', '潜力客户', 'came lately, with middling orders and spend'),
        ('rfm', 'new_big_spenders', '高额新客', 'a first order lately, among the highest spend of the shop'),
        ('rfm', 'new_customers', '新客户', 'a first order lately'),
        ('rfm', 'promising', '有望客户', 'came lately, with few orders and little spend'),
        ('rfm', 'need_attention', '需要关注', 'middling in all, and not seen lately'),
        ('rfm', 'about_to_sleep', '即将沉睡', 'few orders and little spend, and not seen lately'),
        ('rfm', 'cannot_lose', '不能流失', 'among the best, and not seen for longest'),
        ('rfm', 'at_risk', '流失风险', 'good customers who stay away'),
        ('rfm', 'hibernating', '休眠客户', 'few orders, and long ago'),
        ('rfm', 'lost', '流失客户', 'fewest orders, least spend, longest ago'),
        ('classic', 'important_value', '重要价值', 'R, F and M high'),
        ('classic', 'important_development', '重要发展', 'R and M high, F low'),
        ('classic', 'important_keeping', '重要保持', 'F and M high, R low'),
        ('classic', 'important_winning_back', '重要挽留', 'M high, R and F low'),
        ('classic', 'general_value', '一般价值', 'R and F high, M low'),
        ('classic', 'general_development', '一般发展', 'R high, F and M low'),
        ('classic', 'general_keeping', '一般保持', 'F high, R and M low'),
        ('classic', 'general_winning_back', '一般挽留', 'R, F and M low'),
        ('layer', 'new', '新客', 'one order, within new_days'),
        ('layer', 'active', '活跃', 'last order within active_days'),
        ('layer', 'high_value', '高价值', 'active, with a monetary score of high_value_score or more'),
        ('layer', 'silent', '沉默', 'last order longer ago than active_days'),
        ('layer', 'asleep', '沉睡', 'last order longer ago than silent_days'),
        ('layer', 'lost', '流失', 'last order longer ago than asleep_days'),
        ('rfm', 'not_a_customer', '非客户', 'no order yet, or none that was kept'),
        ('classic', 'not_a_customer', '非客户', 'no order yet, or none that was kept'),
        ('layer', 'not_a_customer', '非客户', 'no order yet, or none that was kept'),
    ]) }}
{% endmacro %}

{#- 1 and one more for each threshold of the scores 2 to 5 that is reached. -#}
{% macro score_of(amount, measure, reaches) -%}
    cast(1
    {%- for score in range(2, 6) %} + case when {{ amount }} {{ reaches }} {{ measure }}_{{ score }} then 1 else 0 end{% endfor %} as integer)
{%- endmacro %}

{#- Fewer customers, or repurchases, than these give no threshold that is worth keeping. -#}
{% macro least_known() %}30{% endmacro %}

{#- A whole number as 64 bits, cut to what they hold. -#}
{% macro as_bigint(amount) -%}
    cast(least({{ most_of_feature() }}, greatest(-{{ most_of_feature() }}, {{ amount }})) as bigint)
{%- endmacro %}
