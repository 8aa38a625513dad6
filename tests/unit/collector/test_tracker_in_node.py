"""The tracker in a page without a browser: whatever storage, shop and collector do, nothing throws and nothing is stuck.

Each case is a few lines of JavaScript that return what is compared; page_world.js is the page.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from jishi.contract.validation import Refusal, check_event

NODE = shutil.which("node")
WORLD = Path(__file__).parent / "page_world.js"
pytestmark = pytest.mark.skipif(NODE is None, reason="no Node; the browser's tests cover the same script")


def run(script: str) -> Any:
    """What the body of an async function returns, with ``open`` and ``Storage`` of page_world.js."""
    whole = f"const {{ open, Storage }} = require({json.dumps(str(WORLD))});\n(async () => {{ {script} }})()"
    whole += ".then((value) => console.log(JSON.stringify(value === undefined ? null : value)));"
    done = subprocess.run([str(NODE), "-e", whole], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert "UnhandledPromiseRejection" not in done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def refusal_of(event: dict[str, Any]) -> Any:
    """Why the contract refuses an event of a page; None for one that it takes."""
    result = check_event(event)
    return result if isinstance(result, Refusal) else None


@pytest.mark.parametrize("storage", ["{isFull: true}", "{isForbidden: true}"])
def test_one_visitor_stays_one_without_storage(storage: str) -> None:
    """Before: five events had five anonymous ids and five sessions, and identify was forgotten."""
    anonymous, sessions, users = run(
        f"""const page = open({{local: new Storage({storage}), session: new Storage({storage})}});
        for (let i = 0; i < 4; i++) page.jishi.view({{item_id: "i" + i}});
        page.jishi.identify("u-9"); page.jishi.checkout({{}});
        await page.settle();
        const events = page.taken(), count = (name) => new Set(events.map((e) => e[name])).size;
        return [count("anonymous_id"), count("session_id"), events.map((e) => e.user_id || null)];"""
    )
    assert (anonymous, sessions, users) == (1, 1, [None] * 4 + ["u-9"])


def test_a_full_storage_keeps_the_visitor_from_page_to_page() -> None:
    ids = run(
        """const local = new Storage({isFull: true}), session = new Storage(), ids = [];
        for (let i = 0; i < 3; i++) ids.push(open({local, session}).jishi.anonymousId());
        return ids;"""
    )
    assert len(set(ids)) == 1


@pytest.mark.parametrize("is_full", ["true", "false"])
def test_after_identify_no_event_carries_the_former_user(is_full: str) -> None:
    users = run(
        f"""const local = new Storage(), first = open({{local}});
        first.jishi.identify("old"); first.jishi.view({{item_id: "i"}}); await first.settle();
        local.isFull = {is_full};
        const page = open({{local}}), other = open({{local}});
        page.jishi.identify("new");
        for (const p of [page, other]) p.jishi.view({{item_id: "i"}});
        page.jishi.identify(null); page.jishi.view({{item_id: "i"}});
        await page.settle(); await other.settle();
        const later = open({{local}}); later.jishi.view({{item_id: "i"}}); await later.settle();
        return [first, page, other, later].map((p) => p.taken().map((e) => e.user_id || null));"""
    )
    assert users[0] == ["old"]
    assert users[1] == ["new", None]
    assert "old" not in users[2] + users[3]


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("undefined", None),
        ('"undefined"', None),
        ('"null"', None),
        ('""', None),
        ('"  "', None),
        ("NaN", None),
        ("{}", None),
        ("Symbol('x')", None),
        ("{toString() { throw new Error('x') }}", None),
        ("12345n", "12345"),
        ("42", "42"),
        ("0", None),  # of a visitor without an account, in many shops
        ('"[object Object]"', None),
        ('"00000000-0000-0000-0000-000000000000"', None),
        ('" u-1 "', "u-1"),
    ],
)
def test_identify_takes_ids_and_nothing_else(given: str, kept: str | None) -> None:
    users = run(
        f"""const page = open(); page.jishi.identify("former"); page.jishi.identify({given});
        page.jishi.view({{item_id: "i"}}); await page.settle(); return page.taken().map((e) => e.user_id || null);"""
    )
    assert users == [kept]


def test_nothing_that_a_page_holds_throws_into_it() -> None:
    properties, pending, texts = run(
        r"""const page = open({title: "x".repeat(1999) + "😀", referrer: "https://[broken"}), cycle = {item_id: "c", n: 1};
        cycle.self = cycle; cycle.list = [cycle, {up: cycle}];
        const same = {a: 1}; let deep = {}; for (let i = 0, d = deep; i < 5000; i++) d = d.d = {};
        page.jishi.view(cycle);
        page.jishi.order({order_id: "o", n: 10n, big: 2n ** 70n});
        page.jishi.view({item_id: "cut \ud83d", title: "\ude00\ude00 a\0b", ok: "😀", one: same, two: same});
        page.jishi.cart({item_id: "deep", deep});
        page.jishi.view({item_id: "getter", get x() { throw new Error("x"); }});
        page.jishi.view({item_id: "json", toJSON() { throw new Error("x"); }});
        page.jishi.view(undefined); page.jishi.order(undefined); page.jishi.share(null, "http://[");
        page.jishi.share(); page.jishi.search(undefined); page.jishi.page(); page.jishi.track(); page.jishi.consent(undefined);
        page.jishi.track("f", () => 1); page.jishi.track(Symbol("s"), 5n);
        page.jishi.view({item_id: "last"});
        await page.settle();
        const events = page.taken().map((e) => e.properties), text = JSON.stringify(page.sent);
        return [events.filter((e) => e && e.item_id), page.jishi.pending(), 
                [/\\ud[89a-f]/i.test(text), /\\u0000/.test(text)]];"""
    )
    assert properties[0] == {"item_id": "c", "n": 1, "list": [None, {}]}
    assert properties[1] == {"item_id": "cut \ufffd", "title": "\ufffd\ufffd ab", "ok": "😀", "one": {"a": 1}, "two": {"a": 1}}
    assert [entry["item_id"] for entry in properties] == ["c", "cut \ufffd", "deep", "last"]
    assert pending == 0
    assert texts == [False, False]


def test_two_shops_on_one_site_share_nothing() -> None:
    users, ids, sent, left = run(
        """const local = new Storage(), a = open({shop: "a", local, answer: () => ({status: 503})});
        a.jishi.identify("u-a"); a.jishi.view({item_id: "of-a"}); a.jishi.flush();
        const b = open({shop: "b", local}); b.jishi.view({item_id: "of-b"}); await b.settle();
        const again = open({shop: "a", local}); await again.settle();
        return [b.taken().map((e) => e.user_id || null), [a.jishi.anonymousId(), b.jishi.anonymousId()],
                [b, again].map((p) => p.taken().map((e) => [e.shop_id, e.properties.item_id])), [...local.entries.keys()]
                .filter((key) => key.includes(".q."))];"""
    )
    assert users == [None]
    assert ids[0] != ids[1]
    assert sent == [[["b", "of-b"]], [["a", "of-a"]]]
    assert left == []


def test_a_torn_entry_hides_no_other() -> None:
    ids = run(
        """const of = (id) => JSON.stringify({event_id: id, shop_id: "a", occurred_at: "2026-01-0" + id, type: "x"});
        const start = {"jishi.a.q.2": of("2"), "jishi.a.q.x": "{cut of", "jishi.a.q.n": "null", "jishi.a.q.1": of("1"),
                       "jishi.q.3": of("3"), "other": "{"};
        const page = open({local: new Storage({start})}); await page.settle();
        return page.taken().map((e) => e.event_id);"""
    )
    assert ids == ["1", "2", "3"], "in their order; also what an earlier version of the script left"


def test_what_is_refused_is_dropped_alone() -> None:
    passed, pending, batches = run(
        """const bad = (events) => events.some((e) => e.type === "order_refunded");
        const page = open({answer: (events) => (bad(events) ? {status: 403, code: "not_from_a_page"} : {})});
        for (let i = 0; i < 8; i++) page.jishi.track(i === 3 ? "order_refunded" : "item_viewed", {item_id: "i" + i});
        await page.settle();
        for (let i = 0; i < 5; i++) page.jishi.view({item_id: "j" + i});
        await page.settle();
        return [page.sent.filter((e) => !bad(e)).flat().map((e) => e.properties.item_id), page.jishi.pending(),
                page.sent.at(-1).length];"""
    )
    assert passed == [f"i{n}" for n in (0, 1, 2, 4, 5, 6, 7)] + [f"j{n}" for n in range(5)]
    assert (pending, batches) == (0, 5), "and afterwards events go in batches again"


@pytest.mark.parametrize(
    "answer", ['{status: 401, code: "unknown_key"}', '{status: 403, code: "foreign_origin"}', "{status: 403}"]
)
def test_a_wrong_key_keeps_the_events(answer: str) -> None:
    pending, requests, later = run(
        f"""const local = new Storage(), page = open({{local, answer: () => ({answer})}});
        for (let i = 0; i < 4; i++) page.jishi.view({{item_id: "i" + i}});
        await page.settle();
        const next = open({{local}}); await next.settle();
        return [page.jishi.pending(), page.sent.length, next.taken().length];"""
    )
    assert (pending, requests, later) == (4, 1, 4)


def test_a_request_that_is_never_answered_does_not_block_the_queue() -> None:
    before, after = run(
        """let isFrozen = true; const page = open({answer: () => (isFrozen ? null : {})});
        page.jishi.view({item_id: "i"}); await page.settle(); page.fire("pagehide");
        const before = [page.sent.length, page.beacons.length, page.jishi.pending()];
        isFrozen = false; page.fire("pageshow", {persisted: true}); await page.settle();
        page.jishi.view({item_id: "j"}); page.fire("pagehide");
        return [before, [page.sent.length, page.beacons.length, page.jishi.pending()]];"""
    )
    assert before == [1, 1, 1]
    assert after == [2, 2, 1], "back from the cache it is sent again, and what came after it goes as a beacon"


def test_a_browser_without_a_network_throws_nothing() -> None:
    pending = run(
        """const page = open({answer: () => new Error("blocked by the client")});
        page.jishi.order({order_id: "o"}); await new Promise((done) => setImmediate(done)); return page.jishi.pending();"""
    )
    assert pending == 1


def test_two_tabs_send_each_event_under_one_id() -> None:
    ids, left = run(
        """const local = new Storage(), one = open({local}); one.jishi.view({item_id: "i"});
        const two = open({local}); two.jishi.view({item_id: "j"});
        await one.settle(); await two.settle();
        return [[...one.taken(), ...two.taken()].map((e) => e.event_id), 
                [...local.entries.keys()].filter((k) => k.includes(".q."))];"""
    )
    assert len(set(ids)) == 2
    assert left == []


def test_a_thank_you_page_that_is_loaded_again_reports_the_same_event() -> None:
    """matomo 15266: an order counted once for each reload."""
    ids = run(
        """const local = new Storage(), sent = [];
        for (const order of [{order_id: "o-1"}, {order_id: "o-1"}, {order_id: 7}, {}, {order_id: "x".repeat(300)}]) {
            const page = open({local}); page.jishi.order(order); await page.settle(); sent.push(...page.taken());
        }
        return sent.map((e) => e.event_id);"""
    )
    assert ids[:3] == ["order-o-1", "order-o-1", "order-7"]
    assert len(set(ids[3:])) == 2
    assert max(map(len, ids)) < 200


def test_each_try_tells_the_clock_of_its_sending() -> None:
    events = run(
        """const page = open(); page.jishi.view({item_id: "i"}); await page.settle(); page.fire("pagehide");
        return page.taken();"""
    )
    assert events[0]["sent_at"] >= events[0]["occurred_at"]
    assert set(events[0]) >= {"event_id", "shop_id", "type", "anonymous_id", "session_id", "context", "properties"}


@pytest.mark.parametrize("thrown", ["Symbol('s')", "Object.create(null)", "{toString() { throw 1; }}", "undefined"])
def test_what_a_page_throws_need_not_be_a_text(thrown: str) -> None:
    ids = run(
        f"""const page = open(), odd = {{item_id: "i", get x() {{ throw {thrown}; }}}};
        page.jishi.view(odd); page.jishi.order(odd); page.jishi.view({{item_id: "last"}}); await page.settle();
        return page.taken().map((event) => event.properties.item_id);"""
    )
    assert ids == ["last"]


@pytest.mark.parametrize("content", ["null", "{}", "{error: null}", "[]", '"text"', "{error: {}}"])
def test_a_refusal_that_says_nothing_keeps_the_events(content: str) -> None:
    pending, sent = run(
        f"""let refusal = {{status: 403, content: {content}}}; const page = open({{answer: () => refusal}});
        page.jishi.view({{item_id: "i"}}); await page.settle(); const pending = page.jishi.pending();
        refusal = {{}}; page.fire("online"); await page.settle(); return [pending, page.jishi.pending()];"""
    )
    assert (pending, sent) == (1, 0)


@pytest.mark.parametrize("after", ["2592000", "1e99", "Infinity", "-5", "tomorrow", ""])
def test_a_long_wait_that_is_asked_for_does_not_become_none(after: str) -> None:
    delays = run(
        f"""let times = 0; const page = open({{answer: () => (times++ < 3 ? {{status: 503, retryAfter: "{after}"}} : {{}})}});
        page.jishi.view({{item_id: "i"}}); await page.settle(); return page.delays.slice(1);"""
    )
    assert len(delays) >= 3
    assert all(delay is not None and 500 <= delay <= 3_600_000 for delay in delays[:3])


@pytest.mark.parametrize("batch", ["0", "-1", "NaN", "null", "'x'", "Infinity"])
def test_no_setting_stops_the_queue(batch: str) -> None:
    sizes, pending = run(
        f"""const page = open(); page.jishi.configure({{batch: {batch}}}); page.jishi.configure(null);
        for (let i = 0; i < 3; i++) page.jishi.view({{item_id: "i" + i}});
        await page.settle(); return [page.sent.map((events) => events.length), page.jishi.pending()];"""
    )
    assert (sizes, pending) == ([3], 0)


def test_consent_that_is_none_of_the_three_allows_no_lasting_id() -> None:
    first, second, stored = run(
        """const local = new Storage(), page = open({local}); page.jishi.consent(undefined); await page.settle();
        const next = open({local}); next.jishi.view({item_id: "i"}); await next.settle();
        return [page.anonymousId, next.jishi.anonymousId(), [...local.entries.entries()].map((entry) => entry.join())];"""
    )
    assert first is None
    assert stored == ["jishi.a.consent,anonymous"]
    assert second


def test_withdrawn_consent_is_heard_from_the_next_page() -> None:
    """Before: a page on which nothing is allowed sent nothing, not even what its predecessor could not."""
    types, waiting = run(
        """const local = new Storage(), start = open({local, answer: () => null});
        start.jishi.consent("denied"); await start.settle();
        local.setItem("jishi.a.q.z", JSON.stringify({event_id: "z", shop_id: "a", type: "item_viewed", occurred_at: "2026"}));
        const next = open({local}); await next.settle();
        return [next.taken().map((event) => event.type), local.getItem("jishi.a.q.z") !== null];"""
    )
    assert types == ["consent_changed"]
    assert waiting, "what was not allowed waits until it is"


@pytest.mark.parametrize("share", ["null", "undefined", "", "%20", "page%3Ax", "a%00%07b", "x" * 201, "%5Bobject%20Object%5D"])
def test_a_broken_share_link_costs_no_view_and_no_order(share: str) -> None:
    """One field that a link fills with nonsense sank the whole event (munin #809, umami #2260)."""
    events = run(
        f"""const page = open({{search: "?jishi_share={share}&utm_campaign=" + "c".repeat(3000)}});
        page.jishi.page(); page.jishi.view({{item_id: "i"}});
        page.jishi.order({{order_id: "o", currency: "CNY", lines: [{{item_id: "i", quantity: 1, unit_price_minor: 5}}]}});
        await page.settle(); return page.taken();"""
    )
    assert [event["type"] for event in events] == ["page_viewed", "item_viewed", "order_paid"]
    assert [refusal_of(event) for event in events] == [None] * 3


def test_a_whole_text_pasted_into_the_search_field_is_a_search() -> None:
    [event] = run(
        """const page = open({}); page.jishi.search("裙".repeat(1999) + "😀" + "!".repeat(9)); await page.settle();
        return page.taken().filter((e) => e.type === "search_performed");"""
    )
    assert event["properties"]["query"] == "裙" * 1999 + "\ufffd"
    assert refusal_of(event) is None


def test_a_page_that_is_made_beforehand_counts_when_it_is_seen() -> None:
    """Speculation rules make pages that nobody may ever open (plausible #5343, hitkeep #271)."""
    never, before, after, ids = run(
        """const local = new Storage(), sure = {local, isUnseen: true}, never = open(sure), page = open(sure);
        const item = {item_id: "i"}, ids = [];
        for (const p of [never, page]) {
            p.jishi.page(); ids.push(p.jishi.view(item)); await p.settle(); p.fire("pagehide"); p.fire("visibilitychange");
        }
        item.item_id = "changed since";
        const before = [page.sent.length, page.beacons.length, [...local.entries.keys()]], opened = new Date().toISOString();
        page.show(); page.jishi.cart({item_id: "j"}); await page.settle();
        const events = page.taken();
        const shown = events.map((e) => [e.type, e.properties.item_id || null, e.occurred_at >= opened]);
        return [never.sent.length + never.beacons.length, before, shown, [ids[1], events[1].event_id]];"""
    )
    assert never == 0
    assert before == [0, 0, []], "no visitor and no visit begins either"
    assert after == [["page_viewed", None, True], ["item_viewed", "i", True], ["item_added_to_cart", "j", True]]
    assert ids[0] == ids[1]


def test_consent_is_heard_at_once_also_from_a_page_that_nobody_has_seen() -> None:
    types, later = run(
        """const page = open({isUnseen: true}); page.jishi.view({item_id: "i"}); page.jishi.consent("denied");
        await page.settle(); const types = page.taken().map((e) => e.type);
        page.show(); await page.settle(); return [types, page.taken().length - types.length];"""
    )
    assert types == ["consent_changed"]
    assert later == 0


def test_a_page_can_ask_for_the_context_that_its_events_carry() -> None:
    asked, sent = run(
        """const page = open({}); page.jishi.view({item_id: "i"}); await page.settle();
        return [page.jishi.context(), page.taken()[0].context];"""
    )
    assert asked == sent
    assert asked["device"] in ("mobile", "desktop")


def test_old_libraries_that_give_lists_a_json_of_their_own_change_nothing() -> None:
    """Prototype before 1.7, which Magento 1 has (its issue 344): lines of an order were one text, and it was refused."""
    event = run(
        r"""const page = open(), of_page = page.jishi.order.constructor("return this")(), quoted = (value) => '"' + value + '"';
        const ours = Date.prototype.toJSON;
        for (const { Array, String, Number, Date } of [of_page, globalThis]) {
            Array.prototype.toJSON = function () { return "[" + this.map((each) => JSON.stringify(each)).join(", ") + "]"; };
            String.prototype.toJSON = Number.prototype.toJSON = function () { return quoted(this); };
            Date.prototype.toJSON = function () { return quoted(isFinite(this) ? this.toISOString() : "NaN"); };
        }
        const lines = [{item_id: "i", quantity: 2, unit_price_minor: 500}];
        page.jishi.order({order_id: "o", currency: "CNY", lines, amount_minor: 1000, at: new Date(0), no: new Date(NaN),
                          own: {toJSON: () => "x"}});
        for (const kind of [Array, String, Number]) delete kind.prototype.toJSON;
        Date.prototype.toJSON = ours;
        await page.settle(); return page.taken()[0];"""
    )
    assert event["type"] == "order_paid"
    assert event["properties"] == {
        **{"order_id": "o", "currency": "CNY", "lines": [{"item_id": "i", "quantity": 2, "unit_price_minor": 500}]},
        **{"amount_minor": 1000, "at": "1970-01-01T00:00:00.000Z", "no": None, "own": "x"},
    }


@pytest.mark.parametrize(
    ("source", "address"),
    [
        ("https://c.example/v1/tracker.js", "https://c.example/v1/track"),
        ("https://shop.example/collect/v1/tracker.js?v=2", "https://shop.example/collect/v1/track"),
        ("https://cdn.example/assets/jishi.js", "https://cdn.example/v1/track"),
    ],
)
def test_events_go_below_the_path_that_a_proxy_gave_the_collector(source: str, address: str) -> None:
    """Before: a script at …/collect/v1/tracker.js sent to …/v1/track, which the shop's own server answers with 404."""
    addresses = run(
        f"""const page = open({{src: {json.dumps(source)}}}); page.jishi.view({{item_id: "i"}}); await page.settle();
        return page.addresses;"""
    )
    assert addresses == [f"{address}?key=k"]


def test_what_a_page_calls_before_the_script_is_there_counts() -> None:
    """umami 2762 and 3571: with ``async`` a page's own calls threw, as the name was not there yet."""
    events, afterwards = run(
        """const calls = [["view", {item_id: "i"}], ["identify", "u-1"], ["nothing"], null, "view", ["push", []], ["cart"]];
        const page = open({before: calls, pageView: "on"});
        await page.settle(); const before = page.taken().length;
        page.jishi.push(["view", {item_id: "j"}], ["view", {item_id: "k"}]); await page.settle();
        return [page.taken().slice(0, before).map((e) => [e.type, e.user_id, e.properties.item_id || null]),
                page.taken().slice(before).map((e) => e.properties.item_id)];"""
    )
    assert events == [["page_viewed", "u-1", None], ["item_viewed", "u-1", "i"], ["item_added_to_cart", "u-1", None]]
    assert afterwards == ["j", "k"]


def test_who_declined_before_the_script_was_there_is_not_tracked() -> None:
    sent = run(
        """const page = open({before: [["view", {item_id: "i"}], ["consent", "denied"]], pageView: "on"});
        await page.settle(); return page.taken().map((e) => e.type);"""
    )
    assert sent == ["consent_changed"]
