"""What to do about each reason, in Chinese and English. What is wrong itself: ``collector.live.details``."""

from __future__ import annotations

FIXES: dict[str, tuple[str, str]] = {
    "bad_text": (
        "文本里有半个字符或空字符：请用 UTF-8 编码，截断时按字符而不是字节。",
        "Send UTF-8; cut texts by characters, not by bytes.",
    ),
    "duplicate_key": ("同一个对象里有重复的键：每个键只写一次。", "Write each key of an object once."),
    "number_out_of_range": ("数字超出 64 位：请检查单位，id 请用文本发送。", "Check the unit; send long ids as text."),
    "too_deep": ("嵌套太深：请把事件展平。", "Flatten the event."),
    "not_an_object": ("每个事件必须是一个 JSON 对象。", "Make each event one JSON object."),
    "unknown_type": ("没有这种事件类型：GET /v1/schemas 列出全部类型。", "Use a type that GET /v1/schemas lists."),
    "missing_field": ("缺少必填字段：请补上所示字段。", "Add the field that is named."),
    "wrong_type": (
        '字段类型不对：例如金额写最小货币单位的整数 1999，而不是 "19.99"。',
        'Send the JSON type of the schema: 1999, not "19.99".',
    ),
    "bad_value": ("字段的值不被允许：请看说明和 /v1/schemas/<类型>。", "Send a value that /v1/schemas/<type> allows."),
    "bad_id": (
        "这不是有效的 id（如 null、undefined 或含控制字符）：请发送真实 id，没有就省略。",
        "Send the real id, or leave the field out.",
    ),
    "unknown_currency": ("货币代码不对：请用大写 ISO 4217 代码，如 CNY。", "Write an ISO 4217 code in capitals, such as CNY."),
    "amount_too_large": (
        "金额太大：请检查单位是否为最小货币单位。",
        "Check that amounts are minor units, and quantities right.",
    ),
    "discount_above_order": ("折扣大于原价：请核对折扣和单价的单位。", "Check discount and price; both are minor units."),
    "beyond_horizon": ("时间在一年之后：请检查时钟，以及秒与毫秒。", "Check the clock, and seconds against milliseconds."),
    "too_large": ("事件太长：请只发送需要的字段。", "Send only the fields that are needed."),
    "too_large_for_log": (
        "事件太长，日志不收：请只发送需要的字段。",
        "The log took no record of this size: send only the fields that are needed.",
    ),
    "not_from_a_page": (
        "页面密钥不能发送此类型：请由服务器用 write 密钥发送。",
        "Send it from your server with the write key.",
    ),
    "claim": (
        "订单以另一来源为准，此订单只作声明保存：jishi shops orders 店铺 page 可改为以页面为准。",
        "Orders of the other source count; `jishi shops orders SHOP page` makes those of pages count.",
    ),
    "foreign_shop": ("事件写的是另一家店：请用该店自己的密钥。", "Use the key of the shop that the event names."),
    "duplicate": (
        "此 event_id 已收到过，只算一次：新事件请用新 id。",
        "It counts once already; give a new event a new event_id.",
    ),
    "late": (
        "到达太晚：报表照算，实时特征不算。请尽快发送，或检查时钟。",
        "Reports count it, live features do not. Send sooner, or check the clock.",
    ),
    "future": ("时间在未来，不会计入：请把服务器时钟对准（NTP）。", "It will not be counted: set the sender's clock (NTP)."),
    "rate_limited": ("发送太快：请按 Retry-After 等待后重发。", "Wait as Retry-After says and send again."),
    "not_json": ("请加请求头 Content-Type: application/json。", "Send the header Content-Type: application/json."),
    "malformed_json": ("请求体不是有效的 JSON。", "Send valid JSON; a JSON library writes it."),
    "not_an_array": ("请求体必须是事件数组。", "Send an array of events."),
    "empty_batch": ("请求里没有事件。", "Send at least one event."),
    "too_many_events": ("一次发送的事件太多：请分批。", "Split the batch."),
    "wrong_shape": ('请发送事件数组，或 {"events": [...]}。', 'Send an array of events, or {"events": [...]}.'),
    "too_many_bytes": ("请求太大：请分批发送。", "Split the batch."),
    "foreign_origin": ("此密钥不许用于这个网站：创建密钥时加 --origin。", "Create a track key with --origin of this site."),
}
_OTHER = ("请按说明修改后重发。", "Do what the message says and send again.")


def fix_of(reason: str | None) -> dict[str, str] | None:
    """What to do, by language; None where nothing is wrong."""
    if reason is None:
        return None
    zh, en = FIXES.get(reason, _OTHER)
    return {"zh": zh, "en": en}
