// Runs generated programs of calls on pages with the tracker, one JSON line in and one out. A program is {calls, answers, full}.
const { open, Storage } = require(process.argv[2]);

const cyclic = () => { const value = { item_id: "c" }; value.self = value; value.list = [value, { up: value }]; return value; };
const deep = (levels) => { let value = 1; for (let i = 0; i < levels; i++) value = i % 2 ? [value] : { d: value }; return value; };
// What JSON cannot say, by name.
const ODD = {
  undefined: () => undefined, nan: () => NaN, infinity: () => -Infinity, symbol: () => Symbol("s"), bigint: () => 2n ** 70n, small: () => 7n,
  boxed: () => Object(7n), text: () => new String("cut \ud83d"), cyclic, map: () => new Map([[1, 2]]), date: () => new Date(NaN),
  call: () => () => 1, bare: () => Object.create(null), regexp: () => /x/, error: () => new Error("x"), bytes: () => new Uint8Array(3),
  getter: () => ({ item_id: "g", get x() { throw new Error("x"); } }), symbols: () => ({ get x() { throw Symbol("s"); } }),
  thrown: () => ({ get x() { throw Object.create(null); } }), nothing: () => ({ toJSON() { throw undefined; } }),
  json: () => ({ toJSON: () => "text" }), none: () => ({ toJSON: () => undefined }), primitive: () => ({ toString() { throw Symbol("s"); } }),
  proxy: () => new Proxy({}, { ownKeys() { throw new Error("x"); } }), gone: () => { const p = Proxy.revocable({}, {}); p.revoke(); return p.proxy; },
  frozen: () => Object.freeze({ item_id: "f" }), deep: () => deep(5000), level: () => deep(197), sparse: () => [, 1], key: () => ({ "\ud83d": 1, "a\0": 2 }),
};
const revive = (value) => {
  if (Array.isArray(value)) return value.map(revive);
  if (!value || typeof value !== "object") return value;
  if (typeof value.$odd === "string") return ODD[value.$odd]();
  return Object.fromEntries(Object.entries(value).map(([name, entry]) => [name, revive(entry)]));
};

async function run(program) {
  const thrown = [], bodies = [], outcome = { taken: [], refused: [], delays: [] };
  const local = new Storage(program.local), session = new Storage(program.session);
  let healthy = false, asked = 0;
  // The collector refuses events of type "bad" with their whole request, and fails as the program says, until it is healthy.
  const answer = (events) => {
    const failure = healthy ? null : program.answers[asked++ % (program.answers.length || 1)];
    if (failure) return failure.hangs ? null : failure.throws ? new Error("blocked") : failure;
    if (events.some((event) => event.type === "bad")) {
      if (events.length === 1) outcome.refused.push(events[0].event_id);
      return { status: 403, code: "not_from_a_page" };
    }
    outcome.taken.push(...events.map((event) => event.event_id));
    return {};
  };
  const pages = [];
  const onBody = (text) => bodies.push(text);
  const page = () => { const opened = open({ local, session, answer, onBody, title: program.title, referrer: program.referrer, search: program.search }); pages.push(opened); return opened; };
  let at = page();
  const ids = [];
  for (const [name, ...given] of program.calls) {
    try {
      if (name === "next page") at = page();
      else if (name === "full") local.isFull = !local.isFull;
      else if (name === "turn") { await new Promise((done) => setImmediate(done)); at.timers.splice(0).forEach((act) => act()); }
      else if (name === "fire") at.fire(...given);
      else {
        const returned = at.jishi[name](...given.map(revive));
        if (typeof returned === "string" && name !== "anonymousId") ids.push(returned);
        else if (returned && typeof returned.then === "function") await Promise.race([returned, new Promise((done) => setImmediate(done))]);
      }
    } catch (problem) {
      thrown.push(name + ": " + String(problem && problem.stack));
    }
  }
  healthy = true;
  for (const opened of pages) opened.fire("pageshow", { persisted: true }); // a request that hangs is given up
  const last = page();
  for (let turn = 0; turn < 3; turn++) for (const opened of [...pages, last]) await opened.settle();
  const pending = pages.map((opened) => opened.jishi.pending());
  const stuck = pages.map((opened) => opened.timers.length);
  const delays = pages.flatMap((opened) => opened.delays);
  return { thrown, bodies, ids, pending, stuck, delays, ...outcome, beacons: pages.flatMap((p) => p.beacons).flat().map((e) => e.event_id), unhandled: rejections.splice(0) };
}

const rejections = [];
process.on("unhandledRejection", (reason) => rejections.push(String(reason && reason.stack)));
process.on("uncaughtException", (reason) => rejections.push(String(reason && reason.stack)));
require("readline").createInterface({ input: process.stdin }).on("line", async (line) => {
  let outcome;
  try { outcome = await run(JSON.parse(line)); } catch (problem) { outcome = { thrown: ["the harness: " + problem.stack] }; }
  process.stdout.write(JSON.stringify(outcome) + "\n");
});
