// A page without a browser: storage that may refuse, a collector that answers as a case wants, timers that a case runs.
const fs = require("fs"), vm = require("vm"), path = require("path");
const SCRIPT = path.join(__dirname, "../../../collector/tracker/jishi.js");

class Storage {
  constructor({ isFull = false, isForbidden = false, start = {} } = {}) {
    this.entries = new Map(Object.entries(start));
    this.isFull = isFull;
    this.isForbidden = isForbidden;
  }
  check() { if (this.isForbidden) throw new Error("SecurityError"); }
  get length() { this.check(); return this.entries.size; }
  key(at) { this.check(); return [...this.entries.keys()][at]; }
  getItem(key) { this.check(); return this.entries.has(key) ? this.entries.get(key) : null; }
  setItem(key, value) {
    this.check();
    if (this.isFull) throw new Error("QuotaExceededError");
    this.entries.set(key, String(value));
  }
  removeItem(key) { this.check(); this.entries.delete(key); }
}

/** A page with the tracker; `answer(events)` gives {status, code} or a promise, `sent` holds what the collector was told. */
function open({ shop = "a", local = new Storage(), session = new Storage(), answer = () => ({}), onBody = () => {}, title = "t", referrer = "", search = "", isUnseen = false, src = "https://c.example/v1/tracker.js", before = [], pageView = "off" } = {}) {
  const page = { sent: [], beacons: [], addresses: [], warnings: [], timers: [], delays: [], listeners: {} };
  const listen = (name, act) => (page.listeners[name] = page.listeners[name] || []).push(act);
  const window = { localStorage: local, sessionStorage: session, crypto: require("crypto").webcrypto, addEventListener: listen, jishi: before };
  window.console = { warn: (text) => page.warnings.push(text) };
  const document = { currentScript: { dataset: { shop, key: "k", page: pageView }, src } };
  Object.assign(document, { referrer, title, addEventListener: listen, visibilityState: "visible", prerendering: isUnseen });
  const navigator = { userAgent: "x", sendBeacon: (url, text) => { onBody(text); page.beacons.push(JSON.parse(text)); return true; } };
  const fetch = (url, request) => {
    page.addresses.push(url);
    onBody(request.body);
    const events = JSON.parse(request.body), told = answer(events);
    page.sent.push(events);
    if (told === null) return new Promise(() => {}); // no answer ever comes
    if (told instanceof Error) throw told;
    const { status = 200, code, retryAfter = null, content = code && { error: { code } } } = told;
    const json = () => (content !== undefined ? Promise.resolve(content) : Promise.reject(new Error("no JSON")));
    return Promise.resolve({ ok: status === 200, status, headers: { get: () => retryAfter }, json });
  };
  const world = { window, document, navigator, fetch, location: { search, pathname: "/", href: "https://s.example/" }, console };
  Object.assign(world, { URL, URLSearchParams, clearTimeout() {}, setTimeout: (act, ms) => page.timers.push(act) && page.delays.push(ms) });
  vm.createContext(world);
  vm.runInContext(fs.readFileSync(SCRIPT, "utf8"), world);
  page.jishi = window.jishi;
  /** Let promises and timers run until nothing is left to do. */
  page.settle = async () => {
    for (let turn = 0; turn < 200; turn++) {
      await new Promise((done) => setImmediate(done));
      const due = page.timers.splice(0);
      if (!due.length && turn > 3) return;
      due.forEach((act) => act());
    }
  };
  page.fire = (name, event) => (page.listeners[name] || []).forEach((act) => act(event));
  /** Somebody opens the page that was made beforehand. */
  page.show = () => { document.prerendering = false; page.fire("prerenderingchange"); };
  page.taken = () => page.sent.flat();
  return page;
}

module.exports = { open, Storage };
