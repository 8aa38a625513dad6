// Every text of the page in Chinese and English, and amounts in the shop's way.
const WORDS = {
  skip: ["跳到内容", "Skip to the content"],
  categories: ["类目", "Categories"],
  visitor: ["你是谁", "Who you are"],
  shopper: ["身份", "Shop as"],
  stranger: ["一位新访客", "a new visitor"],
  personal: ["个性化", "Personal"],
  about: [
    "这是用来试推荐的页面，什么都不会真的卖出。每次点击都是真实的事件。",
    "A page to try recommendations with: nothing is really sold, and every click is a real event.",
  ],
  language: ["English", "中文"],
  cart: ["购物车 {n}", "Cart {n}"],
  home: ["为你推荐", "Recommended for you"],
  new: ["新品", "What is new"],
  item: ["与它相配", "Goes with this"],
  now: ["现在为你推荐", "Recommended for you now"],
  inCart: ["再看看这些", "Goes with your cart"],
  paid: ["买了这些的人接着买", "After your order"],
  thanks: ["已付款，谢谢。", "Paid. Thank you."],
  order: ["订单 {id}", "Order {id}"],
  category: ["{name} · {n} 件，按适合你的顺序", "{name} · {n} items, the best for you first"],
  add: ["加入购物车", "Add to cart"],
  added: ["已加入购物车", "It is in the cart"],
  buy: ["立即购买", "Buy now"],
  remove: ["移除", "Remove"],
  checkout: ["结算并付款", "Check out and pay"],
  total: ["合计", "Total"],
  quantity: ["{n} 件", "{n} ×"],
  soldOut: ["已售罄", "Sold out"],
  cartEmpty: ["购物车是空的。", "The cart is empty."],
  why: ["为什么推荐它", "Why this?"],
  whyNot: ["为什么首页没有推荐它？", "Why is this not on my home page?"],
  sources: ["来源与分数", "Sources and scores"],
  rules: ["店铺规则", "Rules of the shop"],
  lastItems: ["用到的最近浏览", "Your last items that were used"],
  noLastItems: ["没有用到任何浏览记录", "Nothing that you looked at was used"],
  madeBy: ["模型 {model}，版本 {version}，{rung}", "Model {model}, release {version}, {rung}"],
  personalised: ["个性化", "personal"],
  item_based: ["按商品", "by the item"],
  segment: ["按类目热度", "by what is popular in a category"],
  popular: ["按热度", "by what is popular"],
  bundled: ["按店铺商品目录", "by the shop's catalogue"],
  fresh: ["新上榜", "new here"],
  waiting: ["正在等你的点击到达列表…", "Your click is on its way to this list…"],
  changed: ["你的点击 {s} 秒后改变了这个列表", "Your click changed this list after {s} s"],
  arrived: ["你的点击 {s} 秒后已被读到，顺序没有变", "Your click was read after {s} s; the order stayed"],
  lost: ["你的点击还没有到达列表：实时特征可能没有运行。", "Your click has not reached this list: live features may not be running."],
  off: ["个性化已关闭：列表只看这个页面本身。", "Personal is off: lists use this page alone."],
  noItems: ["这家店还没有商品。", "This shop has no items yet."],
  nothing: ["没有可推荐的商品。", "There is nothing to recommend."],
  missing: ["没有这件商品。", "There is no such item."],
  starting: ["服务刚启动，正在读取库存变化，请稍候…", "Just started: changes of stock are being read, one moment…"],
  failed: ["没有得到回答（{code}）。", "No answer ({code})."],
  again: ["重试", "Try again"],
  back: ["回到首页", "Back to the start"],
};

let language = 0;
const kept = () => { try { return localStorage.getItem("storefront.language"); } catch { return null; } };

/** The page's language: the query's, the one chosen before, the browser's. */
export function firstLanguage() {
  return new URLSearchParams(location.search).get("lang") || kept() || navigator.language;
}
export function speak(name) {
  language = name.startsWith("zh") ? 0 : 1;
  document.documentElement.lang = language ? "en" : "zh-CN";
}
export function keepLanguage(name) {
  speak(name);
  try { localStorage.setItem("storefront.language", name); } catch { /* it holds for this page */ }
}
export const isChinese = () => language === 0;

/** A text of the page; ``values`` fill its {names}. */
export function word(name, values = {}) {
  return WORDS[name][language].replace(/\{(\w+)\}/g, (_, key) => String(values[key]));
}
export const titleOf = (item) => (language && item.title_en) || item.title;

/** An amount in minor units; ``digits`` by currency come from the shop, as a browser's own may differ. */
export function money(minor, currency, digits) {
  const places = digits[currency] ?? 2;
  const shape = { style: "currency", currency, minimumFractionDigits: places, maximumFractionDigits: places };
  return new Intl.NumberFormat(language ? "en" : "zh-CN", shape).format(minor / 10 ** places);
}
