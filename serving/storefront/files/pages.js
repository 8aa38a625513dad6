// The pages of the shop; each returns its parts, and what is to happen once they are in the document.
import { ask, askCategory, askList, codeOf } from "./api.js";
import { element, picture } from "./dom.js";
import { card, linkTo, listSection, price, shelf, useDigits, whyNot } from "./lists.js";
import { cart, setCart, tell } from "./visitor.js";
import { money, titleOf, word } from "./words.js";

let digits = {};
export function useShop(shop) {
  digits = shop.minor_digits;
  useDigits(digits);
}
const facts = (item) => ({ item_id: item.item_id, category: item.category, unit_price_minor: item.unit_price_minor, currency: item.currency });
const home = (heading, limit) => listSection("home", heading, () => askList("home", { limit }));
const line = (item) => ({ ...facts(item), title: item.title, title_en: item.title_en, quantity: 1 });
const empty = (text) => element("p", { class: "empty" }, text, " ", element("a", { href: "#/" }, word("back")));

export async function homePage(shop) {
  const list = home(word("home"), 12);
  const fresh = shop.new.length ? [shelf(word("new"), shop.new)] : [];
  return { title: "", parts: [list.section, ...fresh], ready: list.load };
}

export async function itemPage(itemId) {
  const answer = await ask("item", { item_id: itemId });
  if (answer.status !== 200) return { title: word("missing"), parts: [empty(answer.status === 404 ? word("missing") : word("failed", { code: codeOf(answer) }))] };
  const item = answer.body, with_it = listSection("item", word("item"), () => askList("item", { item_id: itemId, limit: 8 }));
  const now = home(word("now"), 6), told = element("p", { class: "status", role: "status" });
  const add = () => {
    const known = cart().find((each) => each.item_id === item.item_id);
    setCart(known ? cart().map((each) => (each === known ? { ...each, quantity: each.quantity + 1 } : each)) : [...cart(), line(item)]);
    tell("cart", { ...facts(item), quantity: 1 });
    told.textContent = word("added");
    window.dispatchEvent(new Event("cartchange"));
    now.follow(item.item_id);
  };
  const buy = () => pay([line(item)]);
  const acts = item.is_sellable
    ? [element("button", { type: "button", class: "quiet", onclick: add }, word("add")), element("button", { type: "button", onclick: buy }, word("buy"))]
    : [element("p", { class: "badge" }, word("soldOut"))];
  const because = element("p", { class: "status", role: "status" });
  const why = element("button", { type: "button", class: "link", onclick: async () => { because.textContent = await whyNot(item.item_id); } }, word("whyNot"));
  const about = element("div", { class: "about" }, element("h1", {}, titleOf(item)),
    element("p", {}, element("a", { href: toCategory(item.category) }, item.category), item.brand ? ` · ${item.brand}` : ""),
    element("p", { class: "price" }, price(item)), element("div", { class: "acts" }, acts), told, why, because);
  const ready = async () => {
    tell("view", facts(item));
    await Promise.all([now.follow(item.item_id), with_it.load()]);
  };
  return { title: titleOf(item), parts: [element("article", { class: "item" }, picture(item), about), now.section, with_it.section], ready };
}

export const toCategory = (name) => `#/category/${encodeURIComponent(name)}`;

export async function categoryPage(name, shop) {
  const known = shop.categories.find((each) => each.category === name);
  const list = listSection("category", word("category", { name, n: known ? known.items : 0 }), () => askCategory(name));
  return { title: name, parts: [list.section], ready: list.load };
}

export async function cartPage() {
  const lines = cart(), list = listSection("cart", word("inCart"), () => askList("cart", { cart_item_id: cart().map((each) => each.item_id) }));
  if (!lines.length) return { title: word("cart", { n: 0 }), parts: [empty(word("cartEmpty"))] };
  const row = (each) => element("li", {}, picture(each), element("a", { href: linkTo(each) }, titleOf(each)),
    element("span", {}, word("quantity", { n: each.quantity })), element("span", { class: "price" }, price(each)),
    element("button", { type: "button", class: "link", "aria-label": `${word("remove")} ${titleOf(each)}`, onclick: () => take(each) }, word("remove")));
  const sums = Object.entries(sumOf(lines)).map(([currency, minor]) => money(minor, currency, digits)).join(" + ");
  const box = element("section", {}, element("h1", {}, word("cart", { n: "" })), element("ul", { class: "lines" }, lines.map(row)),
    element("p", { class: "total" }, `${word("total")} `, element("b", {}, sums)),
    element("button", { type: "button", onclick: () => pay(cart(), true) }, word("checkout")));
  return { title: word("cart", { n: lines.length }), parts: [box, list.section], ready: list.load };
}
function take(each) {
  setCart(cart().filter((other) => other.item_id !== each.item_id));
  tell("uncart", { item_id: each.item_id, quantity: each.quantity });
  window.dispatchEvent(new Event("cartchange"));
  window.dispatchEvent(new Event("hashchange"));
}
function sumOf(lines) {
  const sums = {};
  for (const each of lines) sums[each.currency] = (sums[each.currency] || 0) + each.quantity * each.unit_price_minor;
  return sums;
}

/** Pay at once: an order in each currency, as an order has one. */
function pay(lines, isCart = false) {
  const paid = [];
  for (const [currency, amount_minor] of Object.entries(sumOf(lines))) {
    const own = lines.filter((each) => each.currency === currency), order_id = `web-${Date.now().toString(36)}-${Math.random().toString(36).slice(2, 10)}`;
    tell("checkout", { items: own.length, amount_minor, currency });
    tell("order", { order_id, currency, lines: own.map((each) => ({ item_id: each.item_id, quantity: each.quantity, unit_price_minor: each.unit_price_minor, category: each.category })) });
    paid.push(order_id);
  }
  if (isCart) setCart([]);
  window.dispatchEvent(new Event("cartchange"));
  const query = new URLSearchParams([["id", paid.join(", ")], ...lines.map((each) => ["item", each.item_id])]);
  location.hash = `#/paid?${query}`;
}
export async function paidPage(query) {
  const items = query.getAll("item"), list = listSection("after_payment", word("paid"), () => askList("after_payment", { order_item_id: items }));
  const box = element("section", {}, element("h1", {}, word("thanks")), element("p", {}, word("order", { id: query.get("id") })));
  return { title: word("thanks"), parts: [box, list.section], ready: list.load };
}
