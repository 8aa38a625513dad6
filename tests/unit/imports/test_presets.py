"""Presets: a file in the layout of each system gives its orders, what was paid, and what was given back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from imports.__main__ import app
from imports.order_mapping import load_export_mapping, preset_names
from imports.orders import order_lines
from imports.preview import paid_minor
from jishi.contract import Event, check_event
from jishi.landing import landed_lines
from jishi.settings import get_settings
from jishi.shops import Shop, Shops

SHOPIFY = """\
Name,Email,Financial Status,Paid at,Currency,Subtotal,Shipping,Taxes,Total,Discount Code,Discount Amount,Created at,\
Lineitem quantity,Lineitem name,Lineitem price,Lineitem sku,Lineitem discount,Refunded Amount
#1001,a@x.test,paid,2026-03-01 10:00:00 +0800,USD,45.00,5.00,0.00,48.00,HI,2.00,\
2026-03-01 09:59:00 +0800,2,Mug,10.00,MUG,0.00,0.00
#1001,a@x.test,,,,,,,,,,2026-03-01 09:59:00 +0800,1,Tee,25.00,TEE,0.00,
#1002,b@x.test,voided,,USD,9.00,0.00,0.00,9.00,,0.00,2026-03-02 09:00:00 +0800,1,Cap,9.00,CAP,0.00,0.00
#1002,b@x.test,,,,,,,,,,2026-03-02 09:00:00 +0800,1,Pin,1.00,PIN,0.00,
#1003,c@x.test,partially_refunded,2026-03-03 10:00:00 +0800,USD,20.00,0.00,0.00,20.00,,0.00,\
2026-03-03 09:00:00 +0800,2,Mug,10.00,MUG,0.00,10.00
"""
WOOCOMMERCE = """\
Order Number,Order Status,Order Date,Email (Billing),Cart Discount Amount,Order Shipping Amount,Order Refund Amount,SKU,\
Item #,Item Name,\
Quantity (- Refund),Item Cost,Coupon Code
501,Completed,2026-03-01 10:00,a@x.test,1.00,4.00,0.00,SOAP,1,Soap,2,3.50,TEN
501,Completed,2026-03-01 10:00,a@x.test,1.00,4.00,0.00,,2,Brush,1,6.00,TEN
502,Cancelled,2026-03-02 10:00,b@x.test,0.00,4.00,0.00,SOAP,1,Soap,1,3.50,
"""
MAGENTO = """\
increment_id,item_id,sku,qty_ordered,price,discount_amount,shipping_amount,coupon_code,order_currency_code,\
created_at,customer_id,amount_refunded,status
000000007,31,LAMP,1.0000,80.0000,8.0000,5.0000,,EUR,2026-03-01 10:00:00,12,0.0000,complete
000000007,32,BULB,2.0000,4.5000,0.0000,5.0000,,EUR,2026-03-01 10:00:00,12,4.5000,complete
000000008,33,LAMP,1.0000,80.0000,0.0000,0.0000,,EUR,2026-03-02 10:00:00,,0.0000,canceled
"""
TAOBAO = """\
主订单编号,子订单编号,标题,价格,购买数量,外部系统编号,订单状态,买家会员名,订单付款时间,退款金额
="2163500012345678901",="2163500012345678902",马面裙,199.00,1,="QZ01",交易成功,小青,2026-03-01 10:00:00,0.00
="2163500012345678901",="2163500012345678903",发簪,29.90,2,="FZ09",交易成功,小青,2026-03-01 10:00:00,29.90
="2163500012345678904",="2163500012345678905",马面裙,199.00,1,="QZ01",交易关闭,阿木,,0.00
"""
JD = """\
订单号,商品ID,商品名称,订购数量,京东价,优惠金额,运费金额,订单状态,下单帐号,下单时间,付款确认时间
280000000001,100012043978,台灯,1,129.00,10.00,6.00,已完成,jd_1,2026-03-01 09:58:00,2026-03-01 10:00:00
280000000002,100012043978,台灯,1,129.00,0.00,6.00,已取消,jd_2,2026-03-02 09:58:00,
"""
YOUZAN = """\
订单号,订单状态,商品名称,商品编码,商品单价,商品数量,商品优惠金额,商品已退款金额,运费,买家昵称,买家付款时间
E20260301100000000100001,交易完成,手工皂,SP-1,36.00,2,6.00,0.00,8.00,小青,2026-03-01 10:00:00
E20260301100000000100001,交易完成,皂盒,SP-2,12.00,1,0.00,12.00,8.00,小青,2026-03-01 10:00:00
E20260302100000000100002,待付款,手工皂,SP-1,36.00,1,0.00,0.00,8.00,阿木,
"""
AMAZON = """\
amazon-order-id\tpurchase-date\torder-status\tsku\tquantity\tcurrency\titem-price\tshipping-price\titem-promotion-discount
111-1\t2026-03-01T10:00:00+00:00\tShipped\tPAN\t3\tUSD\t100.00\t4.00\t5.00
111-1\t2026-03-01T10:00:00+00:00\tShipped\tLID\t1\tUSD\t8.00\t1.00\t
111-2\t2026-03-02T10:00:00+00:00\tCancelled\tPAN\t1\tUSD\t\t\t
"""
# preset → content, encoding, paid by order (minor units, computed by hand), refunded by order
CASES: dict[str, tuple[str, str, dict[str, int], dict[str, int]]] = {
    "shopify": (SHOPIFY, "utf-8", {"#1001": 4800, "#1003": 2000}, {"#1003": 1000}),
    "woocommerce": (WOOCOMMERCE, "utf-8", {"501": 1600}, {}),
    "magento": (MAGENTO, "utf-8", {"000000007": 8600}, {"000000007": 450}),
    "taobao": (TAOBAO, "gbk", {"2163500012345678901": 25880}, {"2163500012345678901": 2990}),
    "jd": (JD, "gbk", {"280000000001": 12500}, {}),
    "youzan": (YOUZAN, "utf-8-sig", {"E20260301100000000100001": 8600}, {"E20260301100000000100001": 1200}),
    "amazon": (AMAZON, "utf-8", {"111-1": 10800}, {}),
}


@pytest.mark.parametrize("preset", sorted(CASES))
def test_a_preset_reads_its_layout(tmp_path: Path, preset: str) -> None:
    content, encoding, paid, refunded = CASES[preset]
    file = tmp_path / "orders.csv"
    file.write_bytes(content.encode(encoding))
    rows = order_lines([file], load_export_mapping(preset), "s", lambda done, total: None)
    events: list[dict[str, Any]] = [json.loads(row) for row in rows]
    for event in events:
        assert isinstance(check_event(event, "s"), Event), (event, check_event(event, "s"))
    orders = {e["properties"]["order_id"]: paid_minor(e["properties"]) for e in events if e["type"] == "order_paid"}
    refunds = {e["properties"]["order_id"]: e["properties"]["amount_minor"] for e in events if e["type"] == "order_refunded"}
    assert (orders, refunds) == (paid, refunded)
    assert events[0]["occurred_at"].startswith("2026-03-01T10:00:00")


def test_every_preset_has_a_case() -> None:
    assert preset_names() == sorted(CASES)


def test_what_a_file_does_not_say_is_the_registered_shops(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """WooCommerce's file names no currency and the site's local time; Taobao's amounts are yuan, whoever sells there."""
    monkeypatch.setenv("JISHI_VAR", str(tmp_path / "var"))
    get_settings.cache_clear()
    for name, text in (("woocommerce", WOOCOMMERCE), ("taobao", TAOBAO)):
        (tmp_path / f"{name}.csv").write_text(text, encoding="utf-8")

    def first_order(preset: str, shop: str) -> tuple[str, str]:
        arguments = ["orders", str(tmp_path / f"{preset}.csv"), "--shop", shop, "--name", shop, "--preset", preset]
        assert CliRunner().invoke(app, arguments, catch_exceptions=False).exit_code == 0
        order = json.loads(next(landed_lines(tmp_path / "var" / "landing" / "history" / shop)))
        return order["properties"]["currency"], order["occurred_at"]

    with Shops.edit(tmp_path / "var" / "shops.json") as shops:
        shops.create(Shop(shop_id="soap", name="soap", currency="JPY", time_zone="Asia/Tokyo"))
    assert first_order("woocommerce", "soap") == ("JPY", "2026-03-01T10:00:00+09:00")
    assert first_order("woocommerce", "unknown") == ("USD", "2026-03-01T10:00:00+00:00")
    assert first_order("taobao", "soap") == ("CNY", "2026-03-01T10:00:00+08:00")
    get_settings.cache_clear()
