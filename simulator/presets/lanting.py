"""兰亭集: fashion. Wide choice, strong taste, many refunds, shares rather than group buys."""

from simulator.preset import Category, Preset

LANTING = Preset(
    name="兰亭集",
    items=1600,
    add_per_view=0.10,
    refund_per_order=0.14,
    share_per_view=0.016,
    staples=0.3,
    rhythm_days=(25, 50),
    views_per_visit=6.4,
    categories=(
        Category(
            "裙装",
            "Dresses",
            129,
            899,
            (("连衣裙", "dress"), ("马面裙", "horse-face skirt"), ("半身裙", "skirt"), ("礼服裙", "gown")),
        ),
        Category(
            "汉服", "Hanfu", 199, 1599, (("襦裙", "ruqun"), ("褙子", "beizi"), ("明制长衫", "Ming robe"), ("斗篷", "cape"))
        ),
        Category("上衣", "Tops", 59, 399, (("衬衫", "shirt"), ("T恤", "T-shirt"), ("针织衫", "knit top"), ("小衫", "blouse"))),
        Category(
            "外套",
            "Coats",
            199,
            1999,
            (("风衣", "trench coat"), ("羊毛大衣", "wool coat"), ("羽绒服", "down jacket"), ("夹克", "jacket")),
        ),
        Category(
            "裤装",
            "Trousers",
            79,
            499,
            (("牛仔裤", "jeans"), ("阔腿裤", "wide trousers"), ("西裤", "suit trousers"), ("运动裤", "joggers")),
        ),
        Category(
            "男装",
            "Menswear",
            89,
            1299,
            (("男士衬衫", "men's shirt"), ("男士卫衣", "men's hoodie"), ("男士西装", "men's suit")),
        ),
        Category(
            "鞋靴",
            "Shoes",
            129,
            1099,
            (("小白鞋", "white trainers"), ("短靴", "ankle boots"), ("乐福鞋", "loafers"), ("绣花鞋", "embroidered shoes")),
        ),
        Category(
            "箱包",
            "Bags",
            99,
            1699,
            (("单肩包", "shoulder bag"), ("托特包", "tote"), ("双肩包", "backpack"), ("行李箱", "suitcase")),
        ),
        Category(
            "配饰",
            "Accessories",
            29,
            399,
            (("丝巾", "silk scarf"), ("耳环", "earrings"), ("发簪", "hairpin"), ("腰带", "belt")),
        ),
        Category("内衣家居服", "Loungewear", 49, 359, (("睡衣", "pyjamas"), ("文胸", "bra"), ("家居服", "lounge set"))),
        Category(
            "童装",
            "Children",
            49,
            399,
            (("儿童外套", "children's coat"), ("童裙", "girl's dress"), ("儿童套装", "children's set")),
        ),
        Category(
            "运动户外", "Sports", 69, 999, (("瑜伽裤", "yoga pants"), ("冲锋衣", "shell jacket"), ("跑鞋", "running shoes"))
        ),
    ),
    brands=(
        ("云裳", "Yunshang"),
        ("青衿", "Qingjin"),
        ("素白", "Subai"),
        ("十里红妆", "Shili"),
        ("南屿", "Nanyu"),
        ("拾光", "Shiguang"),
        ("木棉里", "Mumianli"),
        ("知秋", "Zhiqiu"),
        ("朝颜", "Chaoyan"),
        ("北岸", "Beian"),
        ("花间集", "Huajian"),
        ("织里", "Zhili"),
    ),
    styles=(
        ("真丝", "silk"),
        ("纯棉", "cotton"),
        ("亚麻", "linen"),
        ("羊绒", "cashmere"),
        ("提花", "jacquard"),
        ("刺绣", "embroidered"),
        ("复古", "vintage"),
        ("宽松", "loose"),
        ("修身", "slim"),
        ("轻薄", "light"),
        ("加绒", "fleece-lined"),
        ("国风", "Chinese-style"),
    ),
    attributes={
        "颜色": ("月白", "黛蓝", "绯红", "松绿", "藕粉", "墨黑", "杏色"),
        "尺码": ("S", "M", "L", "XL"),
        "季节": ("春", "夏", "秋", "冬"),
    },
    regions=("浙江", "江苏", "广东", "福建"),
)
