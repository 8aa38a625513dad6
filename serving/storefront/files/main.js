// The frame: which page the address names, the language, the visitor, and what changes when one of them does.
import { ask, codeOf } from "./api.js";
import { element } from "./dom.js";
import { forgetSeen } from "./lists.js";
import { cartPage, categoryPage, homePage, itemPage, paidPage, toCategory, useShop } from "./pages.js";
import { cart, isPersonal, logIn, setPersonal, user } from "./visitor.js";
import { firstLanguage, isChinese, keepLanguage, speak, word } from "./words.js";

const $ = (id) => document.getElementById(id);
let shop = null, turn = 0;

function route() {
  const [path, query] = location.hash.replace(/^#\/?/, "").split("?");
  const [name, ...rest] = path.split("/");
  let value = "";
  try { value = decodeURIComponent(rest.join("/")); } catch { /* an address that somebody broke */ }
  if (name === "item" && value) return itemPage(value);
  if (name === "category" && value) return categoryPage(value, shop);
  if (name === "cart") return cartPage();
  if (name === "paid") return paidPage(new URLSearchParams(query));
  return homePage(shop);
}

async function show(moves = false) {
  const mine = ++turn;
  frame();
  const page = await route();
  if (mine !== turn) return; // somebody has gone on meanwhile
  document.title = [page.title, document.body.dataset.name].filter(Boolean).join(" · ");
  $("main").replaceChildren(...page.parts);
  if (moves) {
    window.scrollTo(0, 0);
    $("main").focus({ preventScroll: true });
    window.jishi?.page();
  }
  await page.ready?.();
  if (!shop.categories.length && mine === turn) setTimeout(() => mine === turn && lookAgain(), 2000);
}
/** A shop whose first items come while somebody waits. */
async function lookAgain() {
  const answer = await ask("shop");
  if (answer.status === 200) useShop((shop = answer.body));
  await show();
}

function frame() {
  for (const node of document.querySelectorAll("[data-word]")) node.textContent = word(node.dataset.word);
  for (const node of document.querySelectorAll("[data-label]")) node.setAttribute("aria-label", word(node.dataset.label));
  $("language").textContent = word("language");
  $("language").lang = isChinese() ? "en" : "zh-CN";
  $("personal").checked = isPersonal();
  $("to-cart").textContent = word("cart", { n: cart().reduce((sum, each) => sum + each.quantity, 0) });
  const here = decodeURIComponentSafely(location.hash);
  $("categories").replaceChildren(...shop.categories.map(({ category }) =>
    element("a", { href: toCategory(category), "aria-current": here === `#/category/${category}` ? "page" : null }, category)));
  const options = [["", word("stranger")], ...shop.shoppers.map((each) => [each, each])];
  $("shopper").replaceChildren(...options.map(([value, text]) => element("option", { value, selected: value === (user() || "") }, text)));
}
function decodeURIComponentSafely(text) {
  try { return decodeURIComponent(text); } catch { return text; }
}

async function start() {
  speak(firstLanguage());
  const answer = await ask("shop");
  if (answer.status !== 200) {
    $("main").replaceChildren(element("p", { class: "empty" }, word("failed", { code: codeOf(answer) })));
    setTimeout(start, 2000);
    return;
  }
  shop = answer.body;
  useShop(shop);
  // A shopper whom the shop does not know any more is nobody.
  logIn(shop.shoppers.includes(user()) ? user() : null);
  $("language").addEventListener("click", () => { keepLanguage(isChinese() ? "en" : "zh-CN"); show(); });
  $("shopper").addEventListener("change", () => { logIn($("shopper").value || null); forgetSeen(); show(); });
  $("personal").addEventListener("change", () => { setPersonal($("personal").checked); forgetSeen(); show(); });
  $("skip").addEventListener("click", (event) => { event.preventDefault(); $("main").focus(); });
  window.addEventListener("cartchange", frame);
  window.addEventListener("hashchange", () => show(true));
  window.jishi?.page();
  await show();
}
start();
