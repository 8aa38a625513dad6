"""Chinese for the page ``/docs``: every text of the OpenAPI document, by its English one."""

from __future__ import annotations

from serving.reasons import CODES
from serving.rules.notes import CODES as NOTE_CODES
from serving.why_not import CODES as WHY_NOT_CODES

CHINESE = {
    # the API
    "Jishi recommendations": "集市推荐接口",
    "Recommendations for the shoppers of a shop, with the reason of each. One read key opens one shop.": (
        "为店铺的顾客推荐商品，每一条都有理由。一个 read 密钥只能访问一家店。"
    ),
    # operations
    "Recommend items to a shopper": "为顾客推荐商品",
    "A shopper whom nobody knows gets what is popular. The list never holds an item that is out of stock, not active, or of\n"
    "another shop, nor the page's own item or one of the cart, nor what was just paid and is not soon bought again.": (
        "不认识的顾客得到热门商品。列表里没有缺货、下架或别家店的商品，没有本页和购物车里的商品，也没有刚付款且不会很快再买的商品。"
    ),
    "Can this shop be answered for, and with what?": "能否为这家店推荐？用什么？",
    "The shop's release, its placements, the catalogue and their problems.": (
        "这家店的模型版本、展示位、商品目录，以及它们的问题。"
    ),
    "Is the process alive?": "进程是否正常？",
    "200 while every thread of the process runs; needs no release.": "所有线程都在运行时为 200；不需要模型。",
    "Can any shop be answered for?": "是否至少能为一家店推荐？",
    "200 when at least one shop can be answered for, else 503; the body reports on stream and store, and names no shop.": (
        "至少能为一家店推荐时为 200，否则 503；内容为流与在线存储的状态，不含店铺名。"
    ),
    "Prometheus metrics": "Prometheus 指标",
    "Requests by status and rung; latency; release age; catalogue; stream; online store.": (
        "按状态和来源的请求数、延迟、模型版本的年龄、商品目录、流、在线存储。"
    ),
    # parameters
    "the shop of the key": "密钥所属的店铺",
    "the shopper after login": "登录后的顾客",
    "the shopper before login": "登录前的顾客",
    "the item that the page is about; needed for `item`": "本页的商品；展示位 `item` 必填",
    "items in the cart, the one put in last at the end; may repeat": "购物车里的商品，最后加入的放在最后；可重复此参数",
    "the order just paid, for `after_payment`": "刚付款的订单号，用于 `after_payment`",
    "items of the order just paid; may repeat. Left out, they are those of `order_id`, or of the shopper's last order within "
    "30 minutes, as soon as `order_paid` is in the log": (
        "刚付款订单里的商品；可重复此参数。不填时取 `order_id` 的商品，或该顾客 30 分钟内最近一单的商品"
        "（`order_paid` 进入日志后即可）"
    ),
    "`true`: nothing that the shopper is known to have bought; `false`: no item is left out for that; left out: what was paid "
    "within 30 minutes is, unless it is soon bought again": (
        "`true`：不推荐已知该顾客买过的商品；`false`：不因买过而排除；不填：排除 30 分钟内付款的商品，通常很快会再买的除外"
    ),
    "only items of this category; may repeat: any of them": "只要该类目的商品；可重复：任意一个",
    "only items of this brand; may repeat: any of them": "只要该品牌的商品；可重复：任意一个",
    "lowest price, in minor units of the shop's home currency (分)": "最低价，店铺本币的最小单位（如分）",
    "highest price, in minor units of the shop's home currency (分)": "最高价，店铺本币的最小单位（如分）",
    "only items with this attribute, as `name:value`; may repeat: of one name any value, of different names all": (
        "只要有该属性的商品，写作 `名称:值`；可重复：同名任一值，不同名都要满足"
    ),
    "only items that are sold in this region; one whose region is unknown is sold in all": (
        "只要在该地区销售的商品；地区未知的商品视为各地都有售"
    ),
    "by what the visit came, as `context.channel` of its events says it": "访问来自哪个渠道，与其事件的 `context.channel` 一致",
    "on what, as `context.device` of its events says it": "所用设备，与其事件的 `context.device` 一致",
    "an item that the list may not hold; may repeat": "列表里不能有的商品；可重复此参数",
    "where the list is shown": "列表的展示位",
    "most items in the answer": "最多返回多少个商品",
    "`Bearer <read key of the shop>`": "`Bearer <店铺的 read 密钥>`",
    "`false`: nothing that is stored of the shopper is used, only what this request says (the page's item, the cart, the "
    "order); so it is, too, for one whose last `consent_changed` forbade it": (
        "`false`：不使用任何已存储的顾客数据，只用本次请求里的内容（本页商品、购物车、订单）；"
        "顾客最近一次 `consent_changed` 表示不同意时也是如此"
    ),
    # answers
    "Successful Response": "成功",
    "Validation Error": "参数有误",
    "No key, or not a read key of any shop.": "没有密钥，或不是任何店铺的 read 密钥。",
    "A good key, but of another shop than the path's; the same answer whether that shop exists or not.": (
        "密钥有效，但属于另一家店；无论路径里的店铺是否存在，回答都一样。"
    ),
    "A parameter is wrong, or unknown; `field` names it.": "某个参数有误或不存在；`field` 指出是哪个。",
    "The shop has no items yet, or serving has just started and still reads what was sold out meanwhile; ask again after "
    "`Retry-After`.": ("这家店还没有商品，或者服务刚启动、正在读取期间售罄的商品；请在 `Retry-After` 之后重试。"),
    # fields
    "the rung of the ladder: personalised (taste or last items), item_based (the page's item), segment (a category of the "
    "page, the cart or the shopper), popular, bundled (a shop without a release)": (
        "来自哪一级：personalised（口味或最近看过的商品）、item_based（本页商品）、segment（本页、购物车或该顾客的类目）、"
        "popular（热门）、bundled（没有模型的店铺）"
    ),
    "the placement's model of the release, or `ladder` where it names none or the model knows nothing of this request, "
    "`popularity` where not even the ladder is better than what sells, `bundled` for a shop without a release; "
    "`/v1/shops/{shop_id}/readiness` tells why": (
        "该展示位在此版本里的模型；没有指定、或模型对此请求一无所知时为 `ladder`，连 `ladder` 也不比热门好时为 `popularity`，"
        "没有模型的店铺为 `bundled`；原因见 `/v1/shops/{shop_id}/readiness`"
    ),
    "release that gave the candidates; `none` for a shop without one": "给出候选商品的模型版本；没有模型的店铺为 `none`",
    "price in minor units of the currency (cents, 分)": "价格，货币的最小单位（如分）",
    "ISO 4217": "ISO 4217 货币代码",
    "orders the items of this answer, where no rule of the shop does; not comparable between answers": (
        "在没有店铺规则插手时决定本次回答内的顺序；不同回答之间不可比较"
    ),
    "with `explain=full`: sources and rules": "`explain=full` 时：来源与规则",
    "with `explain=full`: what the list was made from": "`explain=full` 时：列表由什么得来",
    "with `why_not`: why that item is not in the list": "`why_not` 时：该商品为何不在列表里",
    "version of the shop's rules that had a say; absent where none had": "起作用的店铺规则版本；没有规则起作用时不出现",
    "name of the rule": "规则名称",
    "kind of the rule": "规则种类",
    "`x1.5`: the score times that; `last`: behind all others; `7 to 3`: moved; `new`: brought as a new item; "
    "`slot 2`: pinned": (
        "`x1.5`：分数乘以它；`last`：排到最后；`7 to 3`：移动了位置；`new`：作为新品加入；`slot 2`：固定在该位置"
    ),
    "how strongly each source brings the item, by its weight, before rules; together they are the score, unless a ranker "
    "orders the list, whose trees score what the sources brought": (
        "各来源推荐该商品的强度（按来源权重），规则加权之前；合起来就是分数，除非由排序模型排序：那时分数由它给出，来源只负责召回"
    ),
    "what the ranker saw of the item (where one answers), by name; 0 and unknown left out": (
        "排序模型（由它回答时）看到的该商品特征，按名称列出；为 0 或未知的不列"
    ),
    "seconds since that became known": "距得知此行为的秒数",
    "the feature that was used: the shopper's last items, newest first": "用到的特征：顾客最近的商品，最新的在前",
    "names of the shop's rules that hold for this request": "对本次请求生效的店铺规则名称",
    "channel, device and place (the `region`) of the request, where a ranker answers and knows them": (
        "本次请求的渠道、设备和地区（`region`），仅在由排序模型回答且模型认识这些值时给出"
    ),
    f"one of {', '.join(WHY_NOT_CODES)}": f"下列之一：{'、'.join(WHY_NOT_CODES)}",
    "sentence for the shop, Chinese": "给店铺看的一句话，中文",
    "sentence for the shop, English": "给店铺看的一句话，英文",
    "the rule that did it": "起作用的规则",
    "place of the item by score, from 1": "按分数的名次，从 1 起",
    "Order the items of a category's page": "为类目页的商品排序",
    "Every given item that may be shown comes once, the best for this shopper first; what the release does not know yet comes\n"
    "last, in the order in which it was given.": (
        "给出的商品中可展示的各出现一次，最适合该顾客的在前；模型版本还不认识的排在最后，按给出的顺序。"
    ),
    "the page's items, in any order": "本页的商品，顺序不限",
    "the page's category, for the shop's rules": "本页的类目，供店铺规则使用",
    "`false`: nothing that is stored of the shopper is used": "`false`：不使用任何已存储的顾客信息",
    "Recommend items to many shoppers": "为多位顾客推荐商品",
    "Each list is made, logged and answered as if asked for alone, under its id; the header has that of the call.": (
        "每个列表都与单独请求时一样生成、记录和回答，各有自己的编号；响应头里的编号属于整个请求。"
    ),
    "which question the lists answer; `cart`: of a cart left behind": "这些列表回答哪个展示位的问题；`cart`：被留下的购物车",
    "the item that the list is about; needed for `item`": "列表围绕的商品；展示位 `item` 必填",
    "items of the order just paid": "刚付款订单里的商品",
    "most items in the answer; left out: all of the page": "最多返回多少个商品；不填：本页全部",
    "who gets a list": "为谁生成列表",
    "items that no list may hold": "任何列表都不能有的商品",
    "send it back in `recommendation_shown` and `recommendation_clicked`": (
        "请在 `recommendation_shown` 和 `recommendation_clicked` 里原样送回"
    ),
    "Try rules before they are published": "发布之前试用规则",
    "Nothing is published, logged or explored: the same request is answered by the rules in use and by the draft.": (
        "不发布、不记录、不探索：同一请求分别按正在使用的规则和草稿回答。"
    ),
    "rules, as `jishi rules check` takes them": "规则，与 `jishi rules check` 的格式相同",
    "items in the cart": "购物车里的商品",
    "the category that the page is about; needed for `category`": "本页的类目；展示位 `category` 必填",
    "items of the category's page; left out: those of its category": "类目页的商品；不填：该类目的商品",
    f"one of {', '.join(NOTE_CODES)}": f"下列之一：{'、'.join(NOTE_CODES)}",
    "items that may be sold and that the rule is about": "规则涉及的可售商品数",
    "items that may be sold and of which the catalogue does not know what the rule asks: no effect": (
        "目录里缺少规则所需信息的可售商品数：规则对它们无作用"
    ),
    "version of the rules in use": "正在使用的规则版本",
    "`full`: sources, rules and features of the list and of each item": "`full`：列表及每个商品的来源、规则与特征",
    "an item: the answer says why it is not in the list": "一个商品：回答会说明它为何不在列表里",
    f"one of {', '.join(CODES)}": f"下列之一：{'、'.join(CODES)}",
    "sentence for shoppers, Chinese": "给顾客看的理由，中文",
    "sentence for shoppers, English": "给顾客看的理由，英文",
    "the item that was the cause, where there is one": "引出这条推荐的商品（如果有）",
    "unauthorised, foreign_shop, bad_parameter, too_many_bytes, no_release, catching_up, not_found, "
    "method_not_allowed or internal": (
        "unauthorised、foreign_shop、bad_parameter、too_many_bytes、no_release、catching_up、not_found、"
        "method_not_allowed 或 internal"
    ),
    "the parameter to mend": "需要修改的参数",
    "one sentence with the fix": "一句话，说明如何修改",
}
