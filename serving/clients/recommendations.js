// Ask for a shop's recommendations from its own server (Node 18 and later, Deno, Bun): an ES module without dependencies.
// A page must not wait for a list: what does not come in time is answered by the shop's bundled list, and says why. The read key
// is secret: a browser asks the shop's server, never serving itself.

/** The request is wrong and stays wrong: the key (401, 403) or a parameter (422); `field` names it, the message the fix. */
export class RecommendationsRefused extends Error {
  constructor(status, code, field, message) {
    super(`${status} ${code}: ${message}`);
    Object.assign(this, { name: "RecommendationsRefused", status, code, field });
  }
}

/** Serving gave no answer in time, or none that can be used; ask again later. */
export class NoAnswer extends Error {
  constructor(message) {
    super(message);
    this.name = "NoAnswer";
  }
}

/**
 * Items to show, best first. `answer` has prices and reasons, and is null for a bundled list, whose `problem` says why it stands
 * in. `shown()` and `clicked(itemId)` are events for the collector, none for a bundled list; `shopper` is {user_id, anonymous_id}.
 * In a page: `for (const event of events) jishi.track(event.type, event.properties)`.
 */
export class AnsweredList {
  constructor(placement, itemIds, answer = null, requestId = null, problem = null) {
    Object.assign(this, { placement, itemIds, answer, requestId, problem });
  }
  shown(shopper = {}) {
    if (!this.answer) return [];
    const { model_version, items } = this.answer;
    return [this.#event("recommendation_shown", { item_ids: this.itemIds, model_version, reasons: items.map((item) => item.reason.code) }, shopper)];
  }
  clicked(itemId, shopper = {}) {
    const position = this.itemIds.indexOf(itemId);
    if (position < 0) throw new RangeError(`${itemId} is not in the list`);
    return this.answer ? [this.#event("recommendation_clicked", { item_id: itemId, position }, shopper)] : [];
  }
  #event(type, facts, shopper) {
    return { type, ...shopper, properties: { request_id: this.requestId, placement: this.placement, ...facts } };
  }
}

/** A shop's connection to serving; `key` is its read key, `bundled` has item ids by placement for when no answer comes. */
export class Recommendations {
  #base; #key; #timeoutMs; #bundled;
  constructor(url, shopId, key, { timeoutMs = 300, bundled = {} } = {}) {
    this.#base = `${url.replace(/\/+$/, "")}/v1/shops/${encodeURIComponent(shopId)}`;
    this.#key = key;
    this.#timeoutMs = timeoutMs;
    this.#bundled = bundled;
  }

  /** The list for a page. Throws RecommendationsRefused. */
  async recommend(asked = {}) {
    const query = new URLSearchParams();
    for (const [name, value] of Object.entries(asked)) {
      for (const each of Array.isArray(value) ? value : [value]) if (each !== null && each !== undefined) query.append(name, each);
    }
    const placement = asked.placement ?? "home";
    return this.#list(placement, `recommendations?${query}`, undefined, this.#bundled[placement] ?? []);
  }

  /** The items of a category's page in their order; as they were given where no answer comes. Throws RecommendationsRefused. */
  async categoryOrder(page) {
    return this.#list("category", "category-order", page, page.item_ids);
  }

  /** Lists for many shoppers of a mailing. Throws RecommendationsRefused and NoAnswer. */
  async batch(asked, { timeoutMs = 30_000 } = {}) {
    return (await this.#answer("recommendations/batch", asked, timeoutMs)).body;
  }

  async #list(placement, path, posted, otherwise) {
    try {
      const { body, requestId } = await this.#answer(path, posted, this.#timeoutMs);
      return new AnsweredList(placement, body.items.map((item) => item.item_id), body, requestId);
    } catch (error) {
      if (!(error instanceof NoAnswer)) throw error;
      return new AnsweredList(placement, otherwise, null, null, error.message);
    }
  }

  async #answer(path, posted, timeoutMs) {
    const headers = { Authorization: `Bearer ${this.#key}` }, signal = AbortSignal.timeout(timeoutMs);
    const body = posted && JSON.stringify(posted);
    if (posted) headers["Content-Type"] = "application/json";
    let answer, payload;
    try {
      answer = await fetch(`${this.#base}/${path}`, { method: posted ? "POST" : "GET", headers, body, signal });
      payload = await answer.json();
    } catch (error) {
      if (!answer || answer.ok || answer.status >= 500) throw new NoAnswer(`no answer within ${timeoutMs} ms: ${error.name}: ${error.message}`);
    }
    if (answer.ok) return { body: payload, requestId: answer.headers.get("X-Request-ID") };
    const { code = "unknown", field = null, message = "the answer is not serving's; is the address right?" } = payload?.error ?? {};
    if (answer.status >= 500 || [408, 429].includes(answer.status)) throw new NoAnswer(`${answer.status} ${code}: ${message}`);
    throw new RecommendationsRefused(answer.status, code, field, message);
  }
}
