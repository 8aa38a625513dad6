{#- Whether an event is something that a person did in the shop's pages, rather than what a till or a server reports. -#}
{% macro is_storefront_act(type) -%}
    {{ type }} not in ('order_paid', 'order_refunded', 'coupon_redeemed', 'item_changed', 'group_buy_completed')
{%- endmacro %}
