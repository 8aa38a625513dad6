"""山海集: food. Cheap baskets of several units, bought again and again in a personal rhythm."""

from simulator.preset import Category, Preset

SHANHAI = Preset(
    name="山海集",
    items=1200,
    visits_per_day=0.075,
    views_per_visit=5.0,
    add_per_view=0.13,
    checkout_per_cart=0.62,
    pay_per_checkout=0.84,
    staples=4.0,
    rhythm_days=(6, 18),
    most_units=4,
    refund_per_order=0.04,
    group_per_view=0.008,
    free_shipping_minor=5900,
    coupon_minor=(9900, 1000),
    categories=(
        Category(
            "水果",
            "Fruit",
            12,
            129,
            (("苹果", "apples"), ("脐橙", "navel oranges"), ("蓝莓", "blueberries"), ("榴莲", "durian"), ("葡萄", "grapes")),
        ),
        Category(
            "蔬菜", "Vegetables", 5, 49, (("番茄", "tomatoes"), ("山药", "yam"), ("有机菜心", "choy sum"), ("玉米", "corn"))
        ),
        Category(
            "肉禽蛋",
            "Meat and eggs",
            19,
            299,
            (("黑猪肉", "black pork"), ("牛腩", "beef brisket"), ("土鸡", "free-range chicken"), ("鸡蛋", "eggs")),
        ),
        Category(
            "海鲜水产",
            "Seafood",
            29,
            499,
            (("大黄鱼", "yellow croaker"), ("对虾", "prawns"), ("大闸蟹", "hairy crab"), ("扇贝", "scallops")),
        ),
        Category(
            "粮油",
            "Grain and oil",
            19,
            199,
            (("五常大米", "Wuchang rice"), ("菜籽油", "rapeseed oil"), ("挂面", "noodles"), ("小米", "millet")),
        ),
        Category(
            "调味",
            "Seasoning",
            8,
            89,
            (("酱油", "soy sauce"), ("香醋", "vinegar"), ("豆瓣酱", "bean paste"), ("花椒", "Sichuan pepper")),
        ),
        Category(
            "茶叶",
            "Tea",
            39,
            899,
            (("龙井", "Longjing"), ("普洱", "Pu'er"), ("铁观音", "Tieguanyin"), ("茉莉花茶", "jasmine tea")),
        ),
        Category(
            "零食", "Snacks", 9, 99, (("坚果", "nuts"), ("牛肉干", "beef jerky"), ("海苔", "seaweed"), ("糕点", "pastry"))
        ),
        Category("乳品", "Dairy", 19, 129, (("鲜牛奶", "fresh milk"), ("酸奶", "yoghurt"), ("奶酪", "cheese"))),
        Category(
            "饮料", "Drinks", 15, 119, (("气泡水", "sparkling water"), ("椰汁", "coconut juice"), ("苹果汁", "apple juice"))
        ),
        Category(
            "酒",
            "Wine and spirits",
            49,
            1299,
            (("黄酒", "yellow wine"), ("白酒", "baijiu"), ("精酿啤酒", "craft beer"), ("青梅酒", "plum wine")),
        ),
        Category(
            "速食",
            "Ready meals",
            9,
            79,
            (("螺蛳粉", "snail noodles"), ("水饺", "dumplings"), ("自热火锅", "self-heating hotpot")),
        ),
        Category(
            "滋补", "Tonics", 49, 999, (("枸杞", "goji"), ("燕窝", "bird's nest"), ("蜂蜜", "honey"), ("红枣", "red dates"))
        ),
    ),
    brands=(
        ("山野", "Shanye"),
        ("海岛", "Haidao"),
        ("谷雨", "Guyu"),
        ("丰年", "Fengnian"),
        ("老灶", "Laozao"),
        ("青禾", "Qinghe"),
        ("渔家", "Yujia"),
        ("田间", "Tianjian"),
        ("五谷", "Wugu"),
        ("岭南", "Lingnan"),
    ),
    styles=(
        ("有机", "organic"),
        ("原产地", "single-origin"),
        ("手工", "handmade"),
        ("当季", "seasonal"),
        ("精选", "select"),
        ("家庭装", "family pack"),
        ("礼盒", "gift box"),
        ("低糖", "low-sugar"),
        ("特级", "premium"),
    ),
    attributes={
        "规格": ("250g", "500g", "1kg", "2.5kg", "5kg"),
        "储存": ("常温", "冷藏", "冷冻"),
        "口味": ("原味", "麻辣", "五香", "清甜"),
    },
    regions=("山东", "云南", "黑龙江", "浙江", "四川", "海南"),
)
