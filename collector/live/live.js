// The live page: asks for what is newer than the newest event it shows, every two seconds, while somebody looks.
"use strict";
const KEPT = 100, PAUSE_MS = 2000;
const WORDS = {
  zh: {
    good: "有效", late: "迟到", duplicate: "重复", future: "未来", invalid: "无效（隔离）", refused: "请求被拒",
    server: "服务器", page: "页面", request: "请求", test: "测试，不计数", event: "事件原文", pause: "暂停", resume: "继续",
    live: "每 2 秒更新；自 {since} 起，共显示 {count} 条", paused: "已暂停", lost: "连接不上采集器，稍后再试", other: "English",
    unknown_key: "没有这个密钥：用 jishi keys create 为店铺新建一个", no_write_right: "这个密钥没有 write 权限：请用店铺的 write 密钥",
  },
  en: {
    good: "good", late: "late", duplicate: "duplicate", future: "future", invalid: "invalid (quarantined)", refused: "request refused",
    server: "server", page: "page", request: "request", test: "test, not counted", event: "the event", pause: "Pause", resume: "Go on",
    live: "refreshed every 2 s; {count} shown, kept since {since}", paused: "paused", lost: "the collector does not answer; trying again", other: "中文",
    unknown_key: "this key is not known; issue one with jishi keys create", no_write_right: "this key may not write; use the shop's write key",
  },
};
const $ = (id) => document.getElementById(id);
let language = (new URLSearchParams(location.search).get("lang") || navigator.language).startsWith("zh") ? "zh" : "en";
let key = "", since = null, newest = 0, events = [], paused = false, timer = null, problem = "", asking = 0;

function store(name, value) {
  try { return value === undefined ? sessionStorage.getItem(name) : sessionStorage.setItem(name, value); } catch { return null; }
}

function node(tag, text, name) {
  const made = document.createElement(tag);
  if (text !== undefined) made.textContent = text;
  if (name) made.className = name;
  return made;
}

function card(event) {
  const words = WORDS[language], item = node("li", undefined, event.outcome), head = node("div", undefined, "head");
  head.append(node("span", words[event.outcome], "outcome"), node("strong", event.type || ""));
  head.append(node("time", new Date(event.at).toLocaleTimeString()), node("span", words[event.sent_by] || event.sent_by, "hint"));
  if (event.is_test) head.append(node("span", words.test, "badge"));
  item.append(head);
  if (event.event_id) item.append(node("p", `event_id ${event.event_id}`, "hint"));
  if (event.reason) {
    item.append(node("p", [event.reason, event.field].filter(Boolean).join(" · ")));
    if (event.detail) item.append(node("p", event.detail[language], "hint"));
    item.append(node("p", `→ ${event.fix[language]}`, "fix"));
  }
  if (event.line) {
    const details = node("details");
    details.append(node("summary", words.event), node("pre", event.line));
    item.append(details);
  }
  return item;
}

function show() {
  const words = WORDS[language];
  document.documentElement.lang = language === "zh" ? "zh-CN" : "en";
  for (const element of document.querySelectorAll("[data-zh]")) element.textContent = element.dataset[language];
  $("language").textContent = words.other;
  $("pause").textContent = paused ? words.resume : words.pause;
  $("entry").hidden = Boolean(key);
  $("view").hidden = !key && !problem;
  const shown = $("problems").checked ? events.filter((event) => event.outcome !== "good") : events;
  const at = since ? new Date(since).toLocaleString() : "";
  const live = words.live.replace("{since}", at).replace("{count}", shown.length);
  $("state").textContent = words[problem] || problem || (paused ? words.paused : since ? live : "");
  const open = new Set([...document.querySelectorAll("details[open]")].map((one) => one.closest("li").dataset.number));
  $("events").replaceChildren(...shown.map((event) => {
    const item = card(event), details = item.querySelector("details");
    item.dataset.number = event.number;
    if (details && open.has(String(event.number))) details.open = true;
    return item;
  }));
  $("empty").hidden = !key || shown.length > 0;
}

async function ask() {
  clearTimeout(timer);
  const turn = ++asking, asked = key;
  try {
    const answer = await fetch(`live/events?after=${newest}`, { headers: { Authorization: `Bearer ${asked}` } });
    const body = await answer.json();
    if (turn !== asking || asked !== key) return;
    if (!answer.ok) {
      leave(body.error.code in WORDS.en ? body.error.code : body.error.message);
      return;
    }
    problem = "";
    if (body.since !== since && since !== null && newest > 0) {  // another start of the collector: it counts from 1 again
      [since, newest, events] = [null, 0, []];
      timer = setTimeout(ask, 0);
      return;
    }
    since = body.since;
    $("shop").textContent = body.shop_id;
    if (body.events.length) {
      newest = body.events[0].number;
      events = [...body.events, ...events].slice(0, KEPT);
    }
  } catch {
    if (turn !== asking) return;
    problem = "lost";
  }
  show();
  if (key && !paused && !document.hidden) timer = setTimeout(ask, PAUSE_MS);
}

function leave(refusal) {
  clearTimeout(timer);
  asking += 1;
  [key, since, newest, events, problem] = ["", null, 0, [], refusal || ""];
  store("jishi-live-key", "");
  $("shop").textContent = "";
  show();
}

$("entry").addEventListener("submit", (event) => {
  event.preventDefault();
  key = $("key").value.trim();
  $("key").value = "";
  store("jishi-live-key", key);
  show();
  if (key) ask();
});
$("language").addEventListener("click", () => { language = language === "zh" ? "en" : "zh"; show(); });
$("problems").addEventListener("change", show);
$("pause").addEventListener("click", () => { paused = !paused; paused ? (clearTimeout(timer), show()) : ask(); });
$("leave").addEventListener("click", () => leave());
document.addEventListener("visibilitychange", () => { if (!document.hidden && key && !paused) ask(); });
const linked = new URLSearchParams(location.hash.slice(1)).get("key");  // behind # it reaches no server and no log
if (linked) history.replaceState(null, "", location.pathname + location.search);
key = linked || store("jishi-live-key") || "";
if (linked) store("jishi-live-key", key);
show();
if (key) ask();
