{#-
    What is looked at on each day of a shop: name, severity, what it says in English and in Chinese. A warning means that numbers
    of the day are likely wrong, a notice that the day is unlike others and somebody should know why.
-#}
{% macro quality_checks() %}
    {{ return([
        ('visitors_low', 'warning', 'far fewer visitors than on this weekday', '访客数远低于平时的同一星期几'),
        ('visitors_high', 'notice', 'far more visitors than on this weekday', '访客数远高于平时的同一星期几'),
        ('item_views_low', 'warning', 'far fewer item views than on this weekday', '商品浏览量远低于平时的同一星期几'),
        ('item_views_high', 'notice', 'far more item views than on this weekday', '商品浏览量远高于平时的同一星期几'),
        ('orders_low', 'warning', 'far fewer orders than on this weekday', '订单数远低于平时的同一星期几'),
        ('orders_high', 'notice', 'far more orders than on this weekday', '订单数远高于平时的同一星期几'),
        ('bot_visitors_high', 'notice', 'far more bots than on this weekday; numbers leave them out', '爬虫访客远多于平时；各项数字已排除爬虫'),
        ('order_value_low', 'warning', 'the middle order, as a multiple of the usual one: far less', '订单金额中位数与平时之比过低'),
        ('order_value_high', 'warning', 'the middle order, as a multiple of the usual one: far more', '订单金额中位数与平时之比过高'),
        ('hours_missing', 'warning', 'hours without anybody that are busy on this weekday', '平时繁忙而当日空无一人的小时数'),
        ('new_channel', 'notice', 'visits by a channel that was never seen before', '来自从未出现过的渠道的访问数'),
        ('new_device', 'notice', 'visits by a kind of device that was never seen before', '来自从未出现过的设备类型的访问数'),
        ('orders_without_rate', 'warning', 'orders in another currency without a rate, in no sum', '没有汇率的外币订单数，未计入金额'),
        ('spend_without_rate', 'warning', 'rows of ad spend in another currency without a rate, in no sum', '没有汇率的外币推广花费笔数，未计入花费'),
        ('rates_stale', 'warning', 'orders in another currency whose rate is older than 14 days', '使用 14 天以前汇率的外币订单数'),
        ('orders_repeated', 'warning', 'orders that repeat another one of the same person, instant and amount', '与同一人、同一时刻、同一金额的另一笔重复的订单数'),
        ('items_unknown', 'warning', 'order lines of items that the catalogue does not have', '商品目录中不存在的订单行数'),
        ('texts_garbled', 'warning', 'items with garbled texts; the file was read in a wrong encoding', '文字乱码的商品数；文件编码读取有误'),
    ]) }}
{% endmacro %}

{#-
    Whether a text was read in another encoding than it was written in: UTF-8 as Latin-1 or as Windows-1252 (a letter with a sign
    behind it that no word has there), or bytes that are none.
-#}
{% macro is_garbled(text) -%}
    {%- set escape = '\\\\' if target.type == 'spark' else '\\' -%}
    {%- set sign = '[' ~ escape ~ 'x{80}-' ~ escape ~ 'x{bf}ŒœŠšŸŽžƒˆ˜–-›€™]' -%}
    {%- set pattern = '锟斤拷|�|ï¿½|[ÃÂ]' ~ sign ~ '|[âäåæçèéï]' ~ sign ~ '{2}' -%}
    coalesce({{ "regexp_like" if target.type == "spark" else "regexp_matches" }}({{ text }}, '{{ pattern }}'), false)
{%- endmacro %}
