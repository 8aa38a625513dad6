"""A shop for any id: goods put together from neutral words, behaviour drawn from the id."""

from __future__ import annotations

from simulator.preset import Category, Preset
from simulator.seeds import Dice, stream

_GOODS = (
    ("文具", "Stationery", (("笔记本", "notebook"), ("钢笔", "fountain pen"), ("便签", "sticky notes"))),
    ("图书", "Books", (("小说", "novel"), ("绘本", "picture book"), ("菜谱", "cookbook"))),
    ("玩具", "Toys", (("积木", "building blocks"), ("拼图", "jigsaw"), ("毛绒玩具", "soft toy"))),
    ("护肤", "Skin care", (("面霜", "face cream"), ("面膜", "face mask"), ("防晒霜", "sunscreen"))),
    ("彩妆", "Make-up", (("口红", "lipstick"), ("眼影", "eye shadow"), ("粉底", "foundation"))),
    ("母婴", "Baby", (("纸尿裤", "nappies"), ("奶瓶", "bottle"), ("婴儿车", "pram"))),
    ("手作", "Crafts", (("陶器", "pottery"), ("编织包", "woven bag"), ("香薰", "scented candle"))),
    ("乐器", "Instruments", (("尤克里里", "ukulele"), ("口琴", "harmonica"), ("古筝", "guzheng"))),
    ("骑行", "Cycling", (("头盔", "helmet"), ("车灯", "bike light"), ("骑行服", "jersey"))),
    ("露营", "Camping", (("帐篷", "tent"), ("睡袋", "sleeping bag"), ("炉具", "stove"))),
)


def generic(shop_id: str) -> Preset:
    """A preset that depends on ``shop_id`` alone."""
    dice = Dice(stream(0, shop_id, "preset"))
    categories = []
    for zh, en, kinds in _GOODS:
        low = dice.whole(9, 120)
        categories.append(Category(zh, en, low, low * dice.whole(4, 12), kinds))
    return Preset(
        name=shop_id,
        items=1200,
        categories=tuple(categories),
        brands=(
            ("一号", "Number One"),
            ("良品", "Liangpin"),
            ("原色", "Yuanse"),
            ("三叶", "Sanye"),
            ("远方", "Yuanfang"),
            ("日常", "Richang"),
        ),
        styles=(
            ("经典", "classic"),
            ("迷你", "mini"),
            ("限定", "limited"),
            ("环保", "recycled"),
            ("专业", "professional"),
            ("入门", "starter"),
        ),
        attributes={"颜色": ("红", "黄", "蓝", "绿"), "规格": ("小", "中", "大")},
        regions=("浙江", "广东", "四川"),
        add_per_view=dice.between(0.07, 0.12),
        group_per_view=dice.between(0.002, 0.015),
        staples=dice.between(0.3, 2.0),
        refund_per_order=dice.between(0.03, 0.12),
    )
