// A list of recommendations: cards with their reasons, what was seen and clicked of it, and how a click changes it.
import { codeOf, askList } from "./api.js";
import { element, picture } from "./dom.js";
import { isPersonal, tell } from "./visitor.js";
import { isChinese, money, titleOf, word } from "./words.js";

const EVERY_MS = 150, GIVE_UP_MS = 6000;
let digits = {};
let seenHome = null; // the visitor's own list as last seen, on whatever page
let clicked = { itemId: null, at: 0 };
export const forgetSeen = () => { seenHome = null; };
export const useDigits = (byCurrency) => { digits = byCurrency; };
export const price = (item) => money(item.unit_price_minor, item.currency, digits);
export const linkTo = (item) => `#/item/${encodeURIComponent(item.item_id)}`;

/** A card; ``list`` is the answer that it stands in, for what is told of a click, or null for a shelf without reasons. */
export function card(item, position, list, isFresh = false) {
  const told = () => {
    clicked = { itemId: item.item_id, at: performance.now() };
    if (list) tell("track", "recommendation_clicked", {
      request_id: list.requestId, placement: list.body.placement, item_id: item.item_id, position,
    });
  };
  const sentence = item.reason && (isChinese() ? item.reason.zh : item.reason.en);
  return element("li", { class: isFresh ? "card is-fresh" : "card", "data-item": item.item_id },
    element("a", { href: linkTo(item), onclick: told }, picture(item),
      element("span", { class: "title" }, titleOf(item)), element("span", { class: "price" }, price(item))),
    sentence && element("p", { class: "reason" }, sentence),
    isFresh && element("p", { class: "badge" }, word("fresh")),
    item.explain && element("details", {}, element("summary", {}, word("why")), ...explained(item)));
}
function explained(item) {
  const sources = Object.entries(item.explain.sources).sort((one, other) => other[1] - one[1]);
  return [
    element("p", {}, word("sources")),
    element("ul", {}, sources.map(([name, value]) => element("li", {}, `${name} ${value.toFixed(3)}`))),
    item.explain.rules.length > 0 && element("p", {}, `${word("rules")}: `
      + item.explain.rules.map((touch) => `${touch.rule} (${touch.kind}, ${touch.effect})`).join(", ")),
  ];
}

export function shelf(heading, items) {
  return element("section", {}, element("h2", {}, heading), element("ol", { class: "cards" }, items.map((item, at) => card(item, at, null))));
}

/** A section whose list is asked for now, and again by what it returns; ``ask`` gives the answer. */
export function listSection(name, heading, ask) {
  const status = element("p", { class: "status", role: "status" }), body = element("div", {});
  const section = element("section", { "data-list": name }, element("h2", {}, heading), status, body);
  let shown = name === "home" ? seenHome : null;

  function say(text) { status.textContent = text; }
  async function load() {
    const answer = await ask();
    if (answer.status === 200) draw(answer);
    else failed(answer);
    return answer;
  }
  function failed(answer) {
    const code = codeOf(answer);
    if (code === "catching_up") {
      say(word("starting"));
      setTimeout(load, 1000);
    } else if (code === "no_release") {
      body.replaceChildren(element("p", { class: "empty" }, word("noItems")));
    } else {
      const again = element("button", { type: "button", class: "quiet", onclick: load }, word("again"));
      body.replaceChildren(element("p", { class: "empty" }, word("failed", { code }), " ", again));
    }
  }
  function draw(answer) {
    const before = shown && new Set(shown.body.items.map((item) => item.item_id));
    shown = answer;
    if (name === "home") seenHome = answer;
    say(isPersonal() ? "" : word("off"));
    const { items, model, model_version: version, served_by: rung } = answer.body;
    if (!items.length) return body.replaceChildren(element("p", { class: "empty" }, word("nothing")));
    const cards = items.map((item, at) => card(item, at, answer, Boolean(before && !before.has(item.item_id))));
    body.replaceChildren(element("ol", { class: "cards" }, cards),
      element("details", { class: "made" }, element("summary", {}, word("madeBy", { model, version, rung: word(rung) })), lastItems(answer)));
    watch(section, answer);
  }

  /** Ask until an act of just now is among what the list was made from, and say how long that took since the click. */
  async function follow(itemId) {
    const began = clicked.itemId === itemId ? clicked.at : performance.now(), before = shown;
    clicked = { itemId: null, at: 0 };
    if (!isPersonal()) return load();
    for (let asked = 0; !asked || (section.isConnected && performance.now() - began < GIVE_UP_MS); asked++) {
      const answer = await ask(), took_s = (performance.now() - began) / 1000;
      if (answer.status !== 200) return failed(answer);
      const newest = answer.body.explain.last_items[0];
      if (newest && newest.item_id === itemId && newest.age_s < took_s + 1) {
        const isOther = before !== null && differ(before, answer);
        draw(answer);
        say(word(isOther ? "changed" : "arrived", { s: took_s.toFixed(2) }));
        section.dataset.tookS = took_s.toFixed(3);
        return;
      }
      if (!asked) draw(answer);
      say(word("waiting"));
      await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
    }
    say(word("lost"));
  }
  return { section, load, follow };
}
/** Whether two lists differ in items, order or reasons, as far as both go. */
function differ(one, other) {
  const length = Math.min(one.body.items.length, other.body.items.length);
  const texts = [one, other].map((answer) => answer.body.items.slice(0, length).map((item) => `${item.item_id} ${item.reason.en}`).join("|"));
  return texts[0] !== texts[1];
}

function lastItems(answer) {
  const used = answer.body.explain.last_items;
  if (!used.length) return element("p", {}, word("noLastItems"));
  return element("div", {}, element("p", {}, word("lastItems")),
    element("ol", {}, used.slice(0, 5).map((each) => element("li", {}, `${each.item_id} · ${each.age_s.toFixed(0)} s`))));
}

/** Tell once that a list was seen, when part of it is in the window. */
function watch(section, answer) {
  const observer = new IntersectionObserver((entries) => {
    if (!entries.some((entry) => entry.isIntersecting)) return;
    observer.disconnect();
    const { placement, model_version, items } = answer.body;
    tell("track", "recommendation_shown", {
      request_id: answer.requestId, placement, model_version,
      item_ids: items.map((item) => item.item_id), reasons: items.map((item) => item.reason.code),
    });
  }, { threshold: 0.1 });
  observer.observe(section);
}

/** Why an item is not in the list of the home page, as a sentence. */
export async function whyNot(itemId) {
  const answer = await askList("home", { why_not: itemId });
  const why = answer.body?.why_not;
  return why ? (isChinese() ? why.zh : why.en) : word("failed", { code: codeOf(answer) });
}
