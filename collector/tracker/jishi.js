/*! Jishi tracker: tells a shop's collector what happens on a page. No dependency, no cookie.
 *
 *   <script src="https://collector.example/v1/tracker.js" data-shop="my-shop" data-key="jk_track_…" async></script>
 *
 * then jishi.view({item_id: "i-1"}), jishi.cart({...}), jishi.order({...}), jishi.share({item_id}), jishi.identify("u-1").
 * Before the script is there, and where it is blocked: (window.jishi = window.jishi || []).push(["view", {item_id: "i-1"}]).
 * Events wait in local storage until the collector has acknowledged them, so they survive a lost network, a reload and a
 * closed tab; each keeps its event_id, so that one that is sent twice counts once. No call throws into the page, whatever it is
 * given; what cannot be sent is dropped alone, with a warning in the console. docs/tracker.md describes every call.
 */
(function (window, document) {
  "use strict";
  if (window.jishi && window.jishi.version) return;

  var script = document.currentScript;
  var data = (script && script.dataset) || {};
  /** Where the collector of this script takes events; a proxy may have put both below a path of its own. */
  function beside(source) {
    return source ? new URL(/\/v1\/tracker\.js$/.test(new URL(source).pathname) ? "track" : "/v1/track", source).href : "/v1/track";
  }
  var config = {
    shop: data.shop,
    key: data.key,
    url: data.url || beside(script && script.src),
    consent: data.consent || "granted", // "granted", "anonymous" (no ids that last), "denied" (nothing is sent)
    batch: 20, // events that are sent at once
    waitMs: 2000, // how long an event waits for others
    keep: 1000, // events that are kept while the network is away; the oldest go first
    sessionMs: 30 * 60 * 1000,
  };
  var MAX_BEACON = 60000; // bytes; browsers refuse beacons above 64 KiB
  var MAX_WAIT_MS = 60000;
  var MAX_ASKED_MS = 3600000; // a browser fires a timer of 25 days and more at once
  var STUCK_MS = 60000; // a request of which nothing was heard for so long is given up
  var KEY_REFUSED = ["missing_key", "unknown_key", "no_track_right", "foreign_origin"];

  // --- storage: local storage, else session storage (its space is another one), else the memory of the page ---
  var memory = {};
  function area(name) {
    try {
      return window[name];
    } catch (refused) {
      return null;
    }
  }
  var local = area("localStorage"), session = area("sessionStorage");
  var prefix = "jishi." + config.shop + "."; // two shops may live on one site
  function attempt(action) {
    try {
      return action();
    } catch (refused) {
      return undefined;
    }
  }
  function read(name) {
    var key = prefix + name;
    if (key in memory) return memory[key];
    return get(session, key) || get(local, key) || null;
  }
  function get(store, key) {
    return attempt(function () {
      return store.getItem(key);
    });
  }
  function put(store, key, value) {
    return attempt(function () {
      store.setItem(key, value);
      return store.getItem(key) === value;
    });
  }
  /** Keep a text, or with null forget it; what was kept before is gone also when there is no room for the new. */
  function write(name, value, lasts) {
    var key = prefix + name;
    [local, session].forEach(function (store) {
      attempt(function () {
        store.removeItem(key);
      });
    });
    delete memory[key];
    var isKept = value !== null && ((lasts && put(local, key, value)) || put(session, key, value));
    if (!isKept && (value !== null || get(local, key) || get(session, key))) memory[key] = value;
    return value;
  }

  function id() {
    var random = window.crypto || {};
    if (random.randomUUID) return random.randomUUID(); // secure pages only
    var text = "";
    var bytes = random.getRandomValues && random.getRandomValues(new Uint8Array(16));
    for (var i = 0; i < 16; i++) text += ((bytes ? bytes[i] : Math.floor(Math.random() * 256)) + 256).toString(16).slice(1);
    return text;
  }
  /** A text without halves of characters, such as those that cutting leaves of an emoji, and without NUL. */
  function whole(text) {
    return text
      .replace(/[\uD800-\uDBFF](?![\uDC00-\uDFFF])|([^\uD800-\uDBFF]|^)[\uDC00-\uDFFF]/g, "$1\uFFFD")
      .replace(/([^\uD800-\uDBFF]|^)[\uDC00-\uDFFF]/g, "$1\uFFFD") // one behind another
      .replace(/\u0000/g, "");
  }
  /** A value as browsers write it: old libraries (Prototype before 1.7) give lists, texts and times a toJSON that quotes them twice. */
  function plain(value, entry) {
    if (Array.isArray(value) || /^(string|number|boolean|bigint)$/.test(typeof value)) return value;
    if (Object.prototype.toString.call(value) !== "[object Date]") return entry;
    return isNaN(value) ? null : value.toISOString();
  }
  /** JSON of whatever a page may hold: big integers become numbers or texts, what contains itself is left out. */
  function json(value) {
    var above = [];
    return JSON.stringify(value, function (name, entry) {
      while (above.length && above[above.length - 1] !== this) above.pop();
      entry = plain(this[name], entry);
      if (typeof entry === "bigint") return Number.isSafeInteger(Number(entry)) ? Number(entry) : String(entry);
      if (typeof entry === "string") return whole(entry);
      if (!entry || typeof entry !== "object") return entry;
      if (above.indexOf(entry) >= 0 || above.length > 200) return undefined;
      above.push(entry);
      return entry;
    });
  }

  // --- who and which visit ---
  var passing = id(); // stands for a person who allowed no id that lasts
  function lasting() {
    return config.consent === "granted";
  }
  function anonymousId() {
    if (!lasting()) return passing;
    return read("anonymous_id") || write("anonymous_id", get(local, "jishi.anonymous_id") || id(), true);
  }
  function sessionId() {
    if (!lasting()) return passing;
    var now = Date.now(), parts = (read("session") || "").split("|");
    var current = parts[0] && now - Number(parts[1]) < config.sessionMs ? parts[0] : id();
    write("session", current + "|" + now, true);
    return current;
  }
  /** An id that the contract takes, or null: an empty variable must not become one thing that all share. */
  function knownId(given) {
    var kind = typeof given;
    var text = kind === "string" || kind === "number" || kind === "bigint" ? whole(String(given)).trim() : "";
    var isNone = /^(null|undefined|none|nan|true|false|\[object \w+\]|[0-]{36}|)$/i.test(text) || text.length > 200;
    return isNone ? null : text;
  }
  /** The id of a user, or null for what is none. */
  function userId(user) {
    var text = knownId(user);
    if (text === null || text === "0") {
      if (user !== null) warn("identify was given no id; the person is anonymous now");
      return null;
    }
    return text;
  }
  var landing = new URLSearchParams(location.search);
  /** The share that led here; a link that was cut or filled with nothing names none, and costs no view or order. */
  function shareId() {
    var text = knownId(landing.get("jishi_share"));
    return text === null || /^page:|[\u0000-\u001f\u007f-\u009f]/.test(text) ? null : text;
  }
  function context() {
    var found = {
      channel: landing.get("utm_source"),
      campaign: landing.get("utm_campaign"),
      referrer: document.referrer
        ? attempt(function () {
            return new URL(document.referrer).hostname;
          })
        : null,
      device: /Mobi|Android/i.test(navigator.userAgent) ? "mobile" : "desktop",
    };
    var kept = {};
    for (var name in found) if (found[name]) kept[name] = String(found[name]).slice(0, 2000);
    return kept;
  }

  // --- the queue: one entry of local storage an event, so that tabs do not overwrite each other ---
  var queue = []; // {id, text, at, key}; what this page knows to be unsent, key where it is stored
  function load() {
    var keys = [];
    attempt(function () {
      for (var i = 0; i < local.length; i++) keys.push(local.key(i));
    });
    keys.forEach(function (key) {
      var isOld = key.indexOf("jishi.q.") === 0; // of an earlier version of this script, for all shops of the site
      if (!isOld && key.indexOf(prefix + "q.") !== 0) return;
      attempt(function () {
        var event = attempt(function () {
          return JSON.parse(local.getItem(key));
        });
        if (!event || typeof event !== "object" || !event.event_id) {
          if (!isOld) local.removeItem(key); // cut off while it was written; the others go on
        } else if (config.consent === "denied" && event.type !== "consent_changed") {
          return; // stays stored until it is allowed; that it is not must be heard all the same
        } else if (!isOld || (event.shop_id || config.shop) === config.shop) {
          delete event.sent_at; // said anew when it is sent
          queue.push({ id: event.event_id, text: json(event), at: String(event.occurred_at), key: key });
        }
      });
    });
    queue.sort(function (a, b) {
      return a.at < b.at ? -1 : a.at > b.at ? 1 : 0;
    });
  }
  function drop(entries) {
    entries.forEach(function (entry) {
      attempt(function () {
        if (entry.key) local.removeItem(entry.key);
      });
    });
    queue = queue.filter(function (entry) {
      return entries.indexOf(entry) < 0;
    });
  }

  // --- sending ---
  var timer = null, sending = 0, failures = 0, single = 0, refusals = 0;
  function address() {
    return config.url + "?key=" + encodeURIComponent(config.key);
  }
  function later(ms) {
    if (timer === null) timer = setTimeout(flush, ms >= 0 && ms <= MAX_ASKED_MS ? ms : MAX_WAIT_MS);
  }
  function next(waiting, limit, bytes) {
    var chosen = [], size = 2;
    for (var i = 0; i < waiting.length && chosen.length < limit; i++) {
      size += waiting[i].text.length * 3 + 40; // a character has at most three bytes here
      if (chosen.length && size > bytes) break;
      chosen.push(waiting[i]);
    }
    return chosen;
  }
  function body(entries) {
    // The collector corrects this device's clock by the time of sending.
    var sentAt = ',"sent_at":"' + new Date().toISOString() + '"}';
    return (
      "[" +
      entries
        .map(function (entry) {
          return entry.text.slice(0, -1) + sentAt;
        })
        .join(",") +
      "]"
    );
  }
  function flush() {
    clearTimeout(timer);
    timer = null;
    if (sending && Date.now() - sending < STUCK_MS) return Promise.resolve();
    if (!queue.length || !config.key) return Promise.resolve();
    var entries = next(queue, single > 0 ? 1 : config.batch, 500000);
    var mine = (sending = Date.now());
    var request = attempt(function () {
      // text/plain spares the browser a preflight request
      return fetch(address(), { method: "POST", body: body(entries), headers: { "Content-Type": "text/plain" }, credentials: "omit" });
    });
    return Promise.resolve(request || Promise.reject()).then(
      function (answer) {
        if (sending === mine) sending = 0;
        return heard(answer, entries);
      },
      function () {
        if (sending === mine) sending = 0;
        retry(0);
      }
    );
  }
  function heard(answer, entries) {
    if (answer.ok) {
      failures = refusals = 0;
      if (single > 0) single -= 1;
      drop(entries); // also what was put into quarantine: sending it again cannot help
      if (queue.length) later(0);
    } else if (answer.status === 408 || answer.status === 429 || answer.status >= 500) {
      retry(
        attempt(function () {
          return Number(answer.headers.get("Retry-After")) * 1000;
        })
      );
    } else if (answer.status === 401) {
      stop(answer.status);
    } else if (answer.status === 403 && answer.json) {
      return answer.json().then(
        function (told) {
          var code = told && told.error && told.error.code;
          if (!code || KEY_REFUSED.indexOf(code) >= 0) stop(answer.status);
          else refused(answer.status, entries);
        },
        function () {
          stop(answer.status);
        }
      );
    } else {
      refused(answer.status, entries);
    }
  }
  function stop(status) {
    // The key is wrong, not the events: they wait for a page with a right one.
    warn("the collector refuses the key: " + status);
  }
  function refused(status, entries) {
    if (entries.length > 1) {
      single = entries.length; // one event of the batch is at fault: find it
      return later(0);
    }
    if (single > 0) single -= 1;
    refusals += 1;
    if (status === 403 && refusals > 5) return stop(status); // nothing passes: it is not the events
    drop(entries); // sending it again cannot help
    warn("the collector refuses an event: " + status);
    later(0);
  }
  function retry(askedMs) {
    failures += 1;
    later(Math.max(Math.min(askedMs || 0, MAX_ASKED_MS), Math.min(MAX_WAIT_MS, 1000 * Math.pow(2, failures - 1)) * (0.5 + Math.random() / 2)));
  }
  function leave() {
    // Nobody reads the answer of a beacon, so the events stay stored and go again with the next page: they count once.
    var fresh = queue.filter(function (entry) {
      return !entry.waved; // hiding and leaving a page are two events of the browser
    });
    if (!fresh.length || !navigator.sendBeacon || !config.key) return;
    var entries = next(fresh, 500, MAX_BEACON);
    var isTaken = attempt(function () {
      return navigator.sendBeacon(address(), body(entries));
    });
    if (!isTaken) return;
    entries.forEach(function (entry) {
      entry.waved = true;
    });
  }
  function again() {
    // The network is back, or the page from the back-forward cache, where a request that was under way is never answered.
    failures = sending = 0;
    queue.forEach(function (entry) {
      entry.waved = false;
    });
    flush();
  }
  function warn(text) {
    attempt(function () {
      console.warn("jishi: " + text);
    });
  }

  // --- what a shop calls ---
  var unseen = []; // told by a page that the browser has made beforehand; nobody may ever see it
  function isUnseen() {
    return document.prerendering || document.visibilityState === "prerender"; // the latter in older browsers
  }
  function seen() {
    if (isUnseen()) return;
    unseen.splice(0).forEach(function (call) {
      attempt(function () {
        track(call.type, call.held.properties, call.id);
      });
    });
  }
  function track(type, properties, eventId) {
    if (config.consent === "denied" || !config.shop) return null;
    if (isUnseen() && type !== "consent_changed") {
      var call = { type: type, held: JSON.parse(json({ properties: properties })), id: eventId || id() };
      unseen.push(call);
      return call.id;
    }
    var event = {
      event_id: eventId || id(),
      shop_id: config.shop,
      type: type,
      occurred_at: new Date().toISOString(),
      anonymous_id: anonymousId(),
      session_id: sessionId(),
      context: context(),
    };
    var user = read("user_id");
    if (user) event.user_id = user;
    event.properties = properties || {};
    var text = json(event), key = prefix + "q." + event.event_id;
    queue.push({ id: event.event_id, text: text, at: event.occurred_at, key: lasting() && put(local, key, text) ? key : null });
    if (queue.length > config.keep) drop(queue.slice(0, queue.length - config.keep));
    if (!failures) queue.length >= config.batch ? flush() : later(config.waitMs);
    return event.event_id;
  }
  /** A level of consent; what is none allows no id that lasts. */
  function knownLevel(level) {
    if (["granted", "anonymous", "denied"].indexOf(level) >= 0) return level;
    warn("consent is granted, anonymous or denied; anonymous is taken");
    return "anonymous";
  }
  /** A call that never throws into the page; ``otherwise`` is what it returns then. */
  function safe(call, otherwise) {
    return function () {
      try {
        return call.apply(null, arguments);
      } catch (problem) {
        // What a page throws may be no text either.
        warn("a call was given what cannot be told: " + attempt(String.bind(null, problem)));
        return otherwise === undefined ? null : otherwise;
      }
    };
  }
  function withShare(properties) {
    var share = shareId();
    return share && !(properties && properties.share_id) ? Object.assign({}, properties, { share_id: share }) : properties;
  }
  var api = {
    version: 1,
    track: track,
    page: function () {
      var share = shareId();
      if (share) track("share_opened", { share_id: share });
      return track("page_viewed", { path: location.pathname.slice(0, 2000), title: String(document.title).slice(0, 2000) });
    },
    view: function (item) {
      return track("item_viewed", withShare(item));
    },
    search: function (query, results) {
      var asked = typeof query === "string" ? query.slice(0, 2000) : query;
      return track("search_performed", results === undefined ? { query: asked } : { query: asked, results: results });
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
      // One id for each order: a thank-you page that is loaded again reports it again, and it counts once.
      var orderId = order && /^(string|number)$/.test(typeof order.order_id) ? whole(String(order.order_id)).trim() : "";
      var eventId = track("order_paid", withShare(order), orderId && orderId.length < 190 ? "order-" + orderId : null);
      flush();
      return eventId;
    },
    /** Make a link that names who shared: returns {share_id, url}. */
    share: function (item, url) {
      var share = id(), link = new URL(url || location.href, location.href);
      link.searchParams.set("jishi_share", share);
      track("item_shared", Object.assign({ share_id: share }, item));
      return { share_id: share, url: link.href };
    },
    /** Whose page it is after login; null after logout. */
    identify: function (user) {
      write("user_id", userId(user), lasting());
    },
    /** "granted", "anonymous" (no id that lasts) or "denied" (nothing more is sent; what waits is forgotten). */
    consent: function (level) {
      level = knownLevel(level);
      var before = config.consent;
      if (level === "denied") drop(queue.slice());
      // The platform must hear of it under the id that it knows.
      if (before === "granted" && level !== "granted") track("consent_changed", { personalisation: false });
      config.consent = level;
      if (before !== "granted" && level === "granted") track("consent_changed", { personalisation: true });
      if (level !== "granted") {
        ["anonymous_id", "session", "user_id"].forEach(function (name) {
          write(name, null, true);
          attempt(function () {
            local.removeItem("jishi." + name);
          });
        });
      }
      write("consent", level, true);
      flush();
    },
    flush: flush,
    pending: function () {
      return queue.length;
    },
    anonymousId: anonymousId,
    /** Channel, campaign, referrer and device, as every event says them; a list may be asked with channel and device. */
    context: context,
    /** Calls as lists of a name and arguments, as a page makes them of which nobody knows whether this script is there yet. */
    push: function () {
      Array.prototype.forEach.call(arguments, function (call) {
        var name = call && call[0];
        if (typeof name === "string" && name !== "push" && Object.prototype.hasOwnProperty.call(api, name) && typeof api[name] === "function")
          api[name].apply(null, Array.prototype.slice.call(call, 1));
        else warn("push takes lists such as [\"view\", {item_id: \"i-1\"}]");
      });
    },
    configure: function (changes) {
      for (var name in changes) {
        var least = name === "waitMs" ? 0 : 1;
        if (typeof config[name] !== "number" || (typeof changes[name] === "number" && changes[name] >= least)) config[name] = changes[name];
        else warn("configure was given no number from " + least + " on for " + name);
      }
      later(0);
    },
  };

  for (var name in api) if (typeof api[name] === "function") api[name] = safe(api[name], name === "share" ? { share_id: null, url: null } : null);
  leave = safe(leave);
  again = safe(again);
  seen = safe(seen);
  config.consent = knownLevel(read("consent") || get(local, "jishi.consent") || config.consent);
  load();
  document.addEventListener("visibilitychange", function () {
    seen();
    if (document.visibilityState === "hidden") leave();
  });
  document.addEventListener("prerenderingchange", seen);
  window.addEventListener("pagehide", leave);
  window.addEventListener("pageshow", function (shown) {
    if (shown && shown.persisted) again();
  });
  window.addEventListener("online", again);
  // What a page called before: who it is and what was allowed come first, so that its view is under them.
  var calls = Array.isArray(window.jishi) ? window.jishi : [];
  function isOfPerson(call) {
    return Boolean(call) && ["identify", "consent", "configure"].indexOf(call[0]) >= 0;
  }
  window.jishi = api;
  api.push.apply(null, calls.filter(isOfPerson));
  if (config.key) {
    if (data.page !== "off") api.page();
    if (queue.length) later(0);
  }
  api.push.apply(
    null,
    calls.filter(function (call) {
      return !isOfPerson(call);
    })
  );
})(window, document);
