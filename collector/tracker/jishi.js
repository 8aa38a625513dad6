/*! Jishi tracker: tells a shop's collector what happens on a page. No dependency, no cookie.
 *
 *   <script src="https://collector.example/v1/tracker.js" data-shop="lanting" data-key="jk_track_…" async></script>
 *
 * then jishi.view({item_id: "i-1"}), jishi.cart({...}), jishi.order({...}), jishi.share({item_id}), jishi.identify("u-1").
 * Events wait in local storage until the collector has acknowledged them, so they survive a lost network, a reload and a
 * closed tab; each keeps its event_id, so that one that is sent twice counts once. docs/tracker.md describes every call.
 */
(function (window, document) {
  "use strict";
  if (window.jishi && window.jishi.version) return;

  var script = document.currentScript;
  var data = (script && script.dataset) || {};
  var config = {
    shop: data.shop,
    key: data.key,
    url: data.url || (script && script.src ? new URL("/v1/track", script.src).href : "/v1/track"),
    consent: data.consent || "granted", // "granted", "anonymous" (no ids that last), "denied" (nothing is sent)
    batch: 20, // events that are sent at once
    waitMs: 2000, // how long an event waits for others
    keep: 1000, // events that are kept while the network is away; the oldest go first
    sessionMs: 30 * 60 * 1000,
  };
  var MAX_BEACON = 60000; // bytes; browsers refuse beacons above 64 KiB
  var MAX_WAIT_MS = 60000;

  // --- storage: local storage where the browser allows it, memory otherwise ---
  var memory = {};
  function store(area, name, value) {
    var key = "jishi." + name;
    try {
      if (value === undefined) return area.getItem(key);
      if (value === null) area.removeItem(key);
      else area.setItem(key, value);
    } catch (refused) {
      if (value === undefined) return memory[key] === undefined ? null : memory[key];
      memory[key] = value;
    }
    return value;
  }
  function area(name) {
    try {
      return window[name];
    } catch (refused) {
      return null; // store() then keeps to memory
    }
  }
  var local = area("localStorage"), session = area("sessionStorage");

  function id() {
    if (window.crypto && crypto.randomUUID) return crypto.randomUUID(); // secure pages only
    var bytes = crypto.getRandomValues(new Uint8Array(16)), text = "";
    for (var i = 0; i < 16; i++) text += (bytes[i] + 256).toString(16).slice(1);
    return text;
  }

  // --- who and which visit ---
  var passing = id(); // stands for a person who allowed no id that lasts
  function lasting() {
    return config.consent === "granted";
  }
  function anonymousId() {
    if (!lasting()) return passing;
    return store(local, "anonymous_id") || store(local, "anonymous_id", id());
  }
  function sessionId() {
    if (!lasting()) return passing;
    var now = Date.now(), parts = (store(local, "session") || "").split("|");
    var current = parts[0] && now - Number(parts[1]) < config.sessionMs ? parts[0] : id();
    store(local, "session", current + "|" + now);
    return current;
  }
  var landing = new URLSearchParams(location.search);
  function context() {
    var candidates = {
      channel: landing.get("utm_source"),
      campaign: landing.get("utm_campaign"),
      referrer: document.referrer ? new URL(document.referrer).hostname : null,
      device: /Mobi|Android/i.test(navigator.userAgent) ? "mobile" : "desktop",
    };
    var kept = {};
    for (var name in candidates) if (candidates[name]) kept[name] = String(candidates[name]).slice(0, 2000);
    return kept;
  }

  // --- the queue: one entry of local storage an event, so that tabs do not overwrite each other ---
  var queue = []; // {id, event}; what this page knows to be unsent
  function load() {
    try {
      for (var i = 0; i < local.length; i++) {
        var key = local.key(i);
        if (key.indexOf("jishi.q.") !== 0) continue;
        queue.push({ id: key.slice(8), event: JSON.parse(local.getItem(key)) });
      }
    } catch (refused) {
      // no storage, or an entry of somebody else: nothing to send
    }
    queue.sort(function (a, b) {
      return a.event.occurred_at < b.event.occurred_at ? -1 : 1;
    });
  }
  function drop(entries) {
    var gone = {};
    entries.forEach(function (entry) {
      gone[entry.id] = true;
      store(local, "q." + entry.id, null);
    });
    queue = queue.filter(function (entry) {
      return !gone[entry.id];
    });
  }

  // --- sending ---
  var timer = null, sending = false, failures = 0;
  function address() {
    return config.url + "?key=" + encodeURIComponent(config.key);
  }
  function later(ms) {
    if (timer === null) timer = setTimeout(flush, ms);
  }
  function next(waiting, limit, bytes) {
    var chosen = [], size = 2;
    for (var i = 0; i < waiting.length && chosen.length < limit; i++) {
      size += JSON.stringify(waiting[i].event).length * 3 + 1; // a character has at most three bytes here
      if (chosen.length && size > bytes) break;
      chosen.push(waiting[i]);
    }
    return chosen;
  }
  function body(entries) {
    return JSON.stringify(
      entries.map(function (entry) {
        return entry.event;
      })
    );
  }
  function flush() {
    clearTimeout(timer);
    timer = null;
    if (sending || !queue.length || !config.key) return Promise.resolve();
    var entries = next(queue, config.batch, 500000);
    sending = true;
    // text/plain spares the browser a preflight request
    return fetch(address(), { method: "POST", body: body(entries), headers: { "Content-Type": "text/plain" }, credentials: "omit" })
      .then(
        function (answer) {
          sending = false;
          if (answer.ok) {
            failures = 0;
            drop(entries);
            if (queue.length) later(0);
          } else if (answer.status === 408 || answer.status === 429 || answer.status >= 500) {
            retry(Number(answer.headers.get("Retry-After")) * 1000);
          } else if (answer.status === 401 || answer.status === 403) {
            // The key is wrong, not the events: they wait for a page with a right one.
            warn("the collector refuses the key: " + answer.status);
          } else if (entries.length > 1) {
            config.batch = 1; // one event of the batch is at fault: find it
            later(0);
          } else {
            drop(entries); // sending it again cannot help
            warn("the collector refuses an event: " + answer.status);
            later(0);
          }
        },
        function () {
          sending = false;
          retry(0);
        }
      );
  }
  function retry(askedMs) {
    failures += 1;
    later(Math.max(askedMs, Math.min(MAX_WAIT_MS, 1000 * Math.pow(2, failures - 1)) * (0.5 + Math.random() / 2)));
  }
  function leave() {
    // Nobody reads the answer of a beacon, so the events stay stored and go again with the next page: they count once.
    var fresh = queue.filter(function (entry) {
      return !entry.waved; // hiding and leaving a page are two events of the browser
    });
    if (!fresh.length || !navigator.sendBeacon || !config.key) return;
    var entries = next(fresh, 500, MAX_BEACON);
    if (!navigator.sendBeacon(address(), body(entries))) return;
    entries.forEach(function (entry) {
      entry.waved = true;
    });
  }
  function warn(text) {
    if (window.console) console.warn("jishi: " + text);
  }

  // --- what a shop calls ---
  function track(type, properties) {
    if (config.consent === "denied" || !config.shop) return null;
    var event = {
      event_id: id(),
      shop_id: config.shop,
      type: type,
      occurred_at: new Date().toISOString(),
      anonymous_id: anonymousId(),
      session_id: sessionId(),
      context: context(),
      properties: properties || {},
    };
    var user = store(lasting() ? local : session, "user_id");
    if (user) event.user_id = user;
    queue.push({ id: event.event_id, event: event });
    if (lasting()) store(local, "q." + event.event_id, JSON.stringify(event));
    if (queue.length > config.keep) drop(queue.slice(0, queue.length - config.keep));
    if (!failures) queue.length >= config.batch ? flush() : later(config.waitMs);
    return event.event_id;
  }
  function withShare(properties) {
    var share = landing.get("jishi_share");
    return share && !properties.share_id ? Object.assign({}, properties, { share_id: share }) : properties;
  }
  var api = {
    version: 1,
    track: track,
    page: function () {
      var share = landing.get("jishi_share");
      if (share) track("share_opened", { share_id: share });
      return track("page_viewed", { path: location.pathname, title: document.title });
    },
    view: function (item) {
      return track("item_viewed", withShare(item));
    },
    search: function (query, results) {
      return track("search_performed", results === undefined ? { query: query } : { query: query, results: results });
    },
    cart: function (item) {
      return track("item_added_to_cart", item);
    },
    uncart: function (item) {
      return track("item_removed_from_cart", item);
    },
    checkout: function (cart) {
      return track("checkout_started", cart);
    },
    order: function (order) {
      var eventId = track("order_paid", withShare(order));
      flush();
      return eventId;
    },
    /** Make a link that names who shared: returns {share_id, url}. */
    share: function (item, url) {
      var share = id(), link = new URL(url || location.href);
      link.searchParams.set("jishi_share", share);
      track("item_shared", Object.assign({ share_id: share }, item));
      return { share_id: share, url: link.href };
    },
    /** Whose page it is after login; null after logout. */
    identify: function (user) {
      store(lasting() ? local : session, "user_id", user === null ? null : String(user));
    },
    /** "granted", "anonymous" (no id that lasts) or "denied" (nothing more is sent; what waits is forgotten). */
    consent: function (level) {
      var before = config.consent;
      if (level === "denied") drop(queue.slice());
      // The platform must hear of it under the id that it knows.
      if (before === "granted" && level !== "granted") track("consent_changed", { personalisation: false });
      config.consent = level;
      if (before !== "granted" && level === "granted") track("consent_changed", { personalisation: true });
      if (level !== "granted") {
        ["anonymous_id", "session", "user_id"].forEach(function (name) {
          store(local, name, null);
        });
      }
      store(local, "consent", level);
      flush();
    },
    flush: flush,
    pending: function () {
      return queue.length;
    },
    anonymousId: anonymousId,
    configure: function (changes) {
      Object.assign(config, changes);
      later(0);
    },
  };

  config.consent = store(local, "consent") || config.consent;
  load();
  document.addEventListener("visibilitychange", function () {
    if (document.visibilityState === "hidden") leave();
  });
  window.addEventListener("pagehide", leave);
  window.addEventListener("online", function () {
    failures = 0;
    clearTimeout(timer);
    timer = null;
    flush();
  });
  window.jishi = api;
  if (config.consent !== "denied" && config.key) {
    if (data.page !== "off") api.page();
    if (queue.length) later(0);
  }
})(window, document);
