"""What is wrong with an event or a request, in the two languages of the live page.

The contract and the collector say it in English, one sentence a fault; here each sentence has a Chinese one. A sentence that
none of the rules knows stays as it is: the fix beside it is Chinese anyway.
"""

from __future__ import annotations

import re

_GOT = re.compile(r"(?s)(.*?)[;?] got (.*)")  # what came stands last
_SENTENCES = (
    # values of fields
    (r"Input should be greater than or equal to (\S+)", r"应不小于 \1"),
    (r"Input should be less than or equal to (\S+)", r"应不大于 \1"),
    (r"Input should be less than (\S+)", r"应小于 \1"),
    (r"Input should be a valid integer", "应为整数"),
    (r"Input should be a valid number", "应为数字"),
    (r"Input should be a valid string", "应为文本"),
    (r"Input should be a valid boolean", "应为 true 或 false"),
    (r"Input should be a valid list", "应为数组"),
    (r"Input should be a valid dictionary", "应为 JSON 对象"),
    (r"Input should be ('.*)", r"应为下列之一：\1"),
    (r"String should have at most (\d+) characters?", r"最多 \1 个字符"),
    (r"String should have at least (\d+) characters?", r"至少 \1 个字符"),
    (r"String should match pattern '\^\[\^\\?x?0*.?\]\*\$'", "不能含空字符"),
    (r"String should match pattern '(.*)'", r"应符合 \1"),
    (r"List should have at least (\d+) items? after validation, not (\d+)", r"至少 \1 项，现有 \2 项"),
    (r"List should have at most (\d+) items? after validation, not (\d+)", r"最多 \1 项，现有 \2 项"),
    (r"is not an ISO 4217 code", "不是大写的 ISO 4217 货币代码，如 CNY、EUR、JPY"),
    (r"has no offset", "时间没有时区：请加 Z 或 +08:00"),
    (r"must be an ISO 8601 string", "应为带时区的 ISO 8601 文本，如 2026-09-01T00:00:00.000Z"),
    (r"lies outside the years 1970 to 9999", "年份应在 1970 到 9999 之间"),
    (r"lies more than a year ahead", "时间在一年之后"),
    (r"needs user_id or anonymous_id", "user_id 和 anonymous_id 至少要有一个"),
    (r"^add '([^']+)'", r"缺少 \1"),
    (r"^(.*) is not an event type, perhaps ('\w+')", r"没有 \1 这种事件，是否为 \2？"),
    (r"^(.*) is not an event type", r"没有 \1 这种事件"),
    (r"^send a JSON object, not (\w+)", r"应为 JSON 对象，不是 \1"),
    (r"this key belongs to shop (.*); send", r"此密钥属于店铺 \1"),
    # ids
    (r"has (\d+) characters; an id has at most (\d+)", r"有 \1 个字符；id 最多 \2 个"),
    (r"is empty; leave the field out", "是空的；没有 id 时请省略此字段"),
    (r"has a control character", "含控制字符"),
    (r"begins with ('.*'), which marks what pages send", r"以 \1 开头，这是页面事件的标记"),
    (r"begins with ('.*'), which marks ids that an import made up", r"以 \1 开头，这是导入时生成的 id 的标记"),
    (r"is the text ('.*'), which stands for no id", r"是文本 \1，不代表任何 id；没有时请省略此字段"),
    # money
    (r"line (\d+): discount_minor is (\d+) and .* only (\d+)", r"第 \1 行（从 0 起）的折扣为 \2，数量 × 单价只有 \3"),
    (r"discount_minor is (\d+) and the lines cost only (\d+)", r"折扣为 \1，各行合计只有 \2；实付不能低于零"),
    (r"^(.*) of the (?:order|lines) add up to (\d+), at most (\d+)", r"\1 合计为 \2，最多 \3；金额是否为最小货币单位？"),
    (r"^(.*) is (\d+), at most (\d+) is taken", r"\1 为 \2，最多 \3；价格是否为最小货币单位？"),
    (r"in the shop's (\w+) the event comes to (\d+), at most (\d+)", r"折合 \1 为 \2，最多 \3；汇率是否正确？"),
    (r"a page's (\w+) is at most (\d+)", r"页面发送的 \1 最多为 \2；价格是否为最小货币单位？"),
    # who may send what
    (r"a page may not send (\w+)", r"页面不能发送 \1；请由店铺的服务器发送"),
    (r"the orders of this shop come from its server", "此店的订单以服务器为准；这一个只作声明保存，不计数"),
    (r"the orders of this shop come from its page", "此店的订单以页面为准；这一个只作声明保存，不计数"),
    # the text of an event
    (r"the event is nested too deep; keep it below (\d+)", r"嵌套太深，应少于 \1 层"),
    (r"byte (\d+) of the event is no UTF-8", r"事件的第 \1 个字节不是 UTF-8"),
    (r"the event is not JSON: .* at character (\d+)", r"不是 JSON：第 \1 个字符处有误"),
    (r"the key (.*) stands twice in one object", r"键 \1 在同一个对象里出现两次"),
    (r"the number (.*) fits no 64 bits", r"数字 \1 超出 64 位"),
    (r"^the text has a NUL character", "文本含空字符"),
    (r"^(.*) has a NUL character", r"\1 含空字符"),
    (r"^the text is no Unicode", "文本含半个字符，可能是截断的表情符号"),
    (r"^(.*) is no Unicode", r"\1 含半个字符，可能是截断的表情符号"),
    (r"the event has (\d+) characters, at most (\d+)", r"事件有 \1 个字符，最多 \2 个"),
    # when it came
    (r"occurred_at is ([\d,]+) s before it arrived", r"occurred_at 比到达时间早 \1 秒"),
    (r"occurred_at is ([\d,]+) s after it arrived", r"occurred_at 比到达时间晚 \1 秒"),
    (r"an event with this event_id was acknowledged before", "此 event_id 已确认过；两个都保留，只算一次"),
    # requests that were refused as a whole
    (r"send the body as it is, or with Content-Encoding: gzip", "请求体请不压缩，或用 Content-Encoding: gzip"),
    (r"the (?:unpacked )?body is larger than (\d+) bytes", r"请求体超过 \1 字节：请减少一次发送的事件"),
    (r"the body did not arrive within (\d+) s", r"请求体 \1 秒内没有到齐：请重发"),
    (r"the gzip stream has more than (\d+) members", r"gzip 流超过 \1 段：请把整批一次压缩"),
    (r"the body is no whole gzip stream", "gzip 不完整：请重新压缩，或不压缩发送"),
    (r"the body is not JSON \(byte (\d+)\)", r"请求体不是 JSON（第 \1 个字节）：请发送 UTF-8 的 JSON 数组"),
    (r"send JSON with Content-Type: application/json", "请发送 JSON，并加 Content-Type: application/json"),
    (r"^(?:put the|\w+ (?:is missing|stands twice); put the) (\w+) into an array", r"请把 \1 放进数组，或放进以它为键的对象"),
    (r"^(\w+) must be an array", r"\1 应为数组"),
    (r"^send an array of (\w+), not (.*)", r"应发送 \1 的数组，不是 \2"),
    (r"^send at least one of (\w+)", r"请至少发送一个 \1"),
    (r"^(?:more than )?(\d+) (\w+) in one request; send at most (\d+)", r"一次请求里有 \1 个 \2，最多 \3 个：请分批"),
    (r"names? another shop than (.*), whose key this is", r"写的是另一家店；此密钥属于 \1"),
    (r"sends more than (\d+) events a second", r"每秒超过 \1 个事件：请按 Retry-After 等待后重发"),
    (r"the disk takes no events now", "磁盘暂时写不进事件；此批一个也没有接收，请重发"),
    (r"send the same batch again later", "积压太多；请稍后重发同一批"),
    (r"this key may only (\w+)", r"此密钥只有 \1 权限：请用店铺的 write 密钥"),
    (r"this key may (\w+) and is secret", r"此密钥有 \1 权限且须保密：页面请用 track 密钥"),
    (r"this key is not for pages of this site", "此密钥不用于这个网站的页面：请把网站加到密钥里"),
)
_RULES = tuple((re.compile(pattern), chinese) for pattern, chinese in _SENTENCES)


def detail_of(detail: str | None) -> dict[str, str] | None:
    """The sentence by language; None where nothing is wrong."""
    return None if detail is None else {"zh": _chinese(detail), "en": detail}


def _chinese(detail: str) -> str:
    match = _GOT.fullmatch(detail)
    problem, got = match.groups() if match else (detail, None)
    for pattern, chinese in _RULES:
        if sentence := pattern.search(problem):
            translated = sentence.expand(chinese).replace("' or '", "'、'")
            return translated if got is None else f"{translated}；收到 {got}"
    return detail
