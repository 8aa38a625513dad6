// Shapes of requests and answers, made by python -m serving.clients.types from the OpenAPI document; do not edit.

/** What a list may be asked by. */
export interface RecommendationsQuery {
  /** the shopper after login */
  user_id?: string | null;
  /** the shopper before login */
  anonymous_id?: string | null;
  /** the item that the page is about; needed for `item` */
  item_id?: string | null;
  /** items in the cart, the one put in last at the end; may repeat */
  cart_item_id?: Array<string> | null;
  /** the order just paid, for `after_payment` */
  order_id?: string | null;
  /** items of the order just paid; may repeat. Left out, they are those of `order_id`, or of the shopper's last order within 30 minutes, as soon as `order_paid` is in the log */
  order_item_id?: Array<string> | null;
  /** `true`: nothing that the shopper is known to have bought; `false`: no item is left out for that; left out: what was paid within 30 minutes is, unless it is soon bought again */
  exclude_purchased?: boolean | null;
  /** an item that the list may not hold; may repeat */
  exclude_item_id?: Array<string> | null;
  /** `false`: nothing that is stored of the shopper is used, only what this request says (the page's item, the cart, the order); so it is, too, for one whose last `consent_changed` forbade it */
  personalised?: boolean;
  /** by what the visit came, as `context.channel` of its events says it */
  channel?: string | null;
  /** on what, as `context.device` of its events says it */
  device?: string | null;
  /** `full`: sources, rules and features of the list and of each item */
  explain?: "none" | "full";
  /** an item: the answer says why it is not in the list */
  why_not?: string | null;
  /** where the list is shown */
  placement?: "home" | "item" | "cart" | "after_payment" | "search_empty";
  /** most items in the answer */
  limit?: number;
  /** only items of this category; may repeat: any of them */
  category?: Array<string> | null;
  /** only items of this brand; may repeat: any of them */
  brand?: Array<string> | null;
  /** lowest price, in minor units of the shop's home currency (分) */
  price_min?: number | null;
  /** highest price, in minor units of the shop's home currency (分) */
  price_max?: number | null;
  /** only items with this attribute, as `name:value`; may repeat: of one name any value, of different names all */
  attribute?: Array<string> | null;
  /** only items that are sold in this region; one whose region is unknown is sold in all */
  region?: string | null;
}

/** Who gets a list, and how long it is. */
export interface BatchBody {
  /** by what the visit came, as `context.channel` of its events says it */
  channel?: string | null;
  /** on what, as `context.device` of its events says it */
  device?: string | null;
  /** only items of this brand; may repeat: any of them */
  brand?: Array<string>;
  /** lowest price, in minor units of the shop's home currency (分) */
  price_min?: number | null;
  /** highest price, in minor units of the shop's home currency (分) */
  price_max?: number | null;
  /** only items with this attribute, as `name:value`; may repeat: of one name any value, of different names all */
  attribute?: Array<string>;
  /** only items that are sold in this region; one whose region is unknown is sold in all */
  region?: string | null;
  /** items that no list may hold */
  exclude_item_ids?: Array<string>;
  /** `true`: nothing that the shopper is known to have bought; `false`: no item is left out for that; left out: what was paid within 30 minutes is, unless it is soon bought again */
  exclude_purchased?: boolean | null;
  /** `false`: nothing that is stored of the shopper is used */
  personalised?: boolean;
  /** `full`: sources, rules and features of the list and of each item */
  explain?: "none" | "full";
  /** who gets a list */
  shoppers: Array<ShopperBody>;
  /** which question the lists answer; `cart`: of a cart left behind */
  placement?: "home" | "item" | "cart" | "after_payment" | "search_empty";
  /** only items of this category; may repeat: any of them */
  category?: Array<string>;
  /** most items in the answer */
  limit?: number;
}

/** A list for each shopper, in the order in which they were given. */
export interface BatchAnswer {
  lists: Array<ShoppersListAnswer>;
}

/** The items of a page and the shopper who opens it. */
export interface CategoryPageBody {
  /** by what the visit came, as `context.channel` of its events says it */
  channel?: string | null;
  /** on what, as `context.device` of its events says it */
  device?: string | null;
  /** only items of this brand; may repeat: any of them */
  brand?: Array<string>;
  /** lowest price, in minor units of the shop's home currency (分) */
  price_min?: number | null;
  /** highest price, in minor units of the shop's home currency (分) */
  price_max?: number | null;
  /** only items with this attribute, as `name:value`; may repeat: of one name any value, of different names all */
  attribute?: Array<string>;
  /** only items that are sold in this region; one whose region is unknown is sold in all */
  region?: string | null;
  /** items that no list may hold */
  exclude_item_ids?: Array<string>;
  /** `true`: nothing that the shopper is known to have bought; `false`: no item is left out for that; left out: what was paid within 30 minutes is, unless it is soon bought again */
  exclude_purchased?: boolean | null;
  /** `false`: nothing that is stored of the shopper is used */
  personalised?: boolean;
  /** `full`: sources, rules and features of the list and of each item */
  explain?: "none" | "full";
  /** the page's items, in any order */
  item_ids: Array<string>;
  /** the page's category, for the shop's rules */
  category?: string | null;
  /** the shopper after login */
  user_id?: string | null;
  /** the shopper before login */
  anonymous_id?: string | null;
  /** most items in the answer; left out: all of the page */
  limit?: number | null;
}

/** Which sources brought an item, and which rules touched it. */
export interface ItemExplainAnswer {
  /** how strongly each source brings the item, by its weight, before rules; together they are the score, unless a ranker orders the list, whose trees score what the sources brought */
  sources: Record<string, number>;
  rules: Array<TouchAnswer>;
  /** what the ranker saw of the item (where one answers), by name; 0 and unknown left out */
  features?: Record<string, number> | null;
}

/** One recommended item, in stock and active when the answer was made. */
export interface ItemAnswer {
  item_id: string;
  title: string;
  title_en: string | null;
  category: string;
  /** price in minor units of the currency (cents, 分) */
  unit_price_minor: number;
  /** ISO 4217 */
  currency: string;
  /** orders the items of this answer, where no rule of the shop does; not comparable between answers */
  score: number;
  reason: ReasonAnswer;
  /** with `explain=full`: sources and rules */
  explain?: ItemExplainAnswer | null;
}

/** An item that the shopper acted on, as the online store had it. */
export interface LastItemAnswer {
  item_id: string;
  /** seconds since that became known */
  age_s: number;
}

/** What the list as a whole was made from. */
export interface ListExplainAnswer {
  /** the feature that was used: the shopper's last items, newest first */
  last_items: Array<LastItemAnswer>;
  /** names of the shop's rules that hold for this request */
  rules: Array<string>;
  /** channel, device and place (the `region`) of the request, where a ranker answers and knows them */
  visit?: Record<string, string> | null;
}

/** Why the item is in the list: the source that gave it most. */
export interface ReasonAnswer {
  /** one of long_term_taste, similar_to_recent, similar_to_item, same_category, popular_in_category, popular, picked_by_shop, trending, new, on_sale, viewed_next, viewed_together, bought_together, bought_next, bought_often, bought_before, due_again, seen_before, people_like_you, like_yours */
  code: string;
  /** sentence for shoppers, Chinese */
  zh: string;
  /** sentence for shoppers, English */
  en: string;
  /** the item that was the cause, where there is one */
  because_item_id?: string | null;
}

/** A list of recommendations, best first; it may be shorter than asked when the shop has no more to sell. */
export interface RecommendationsAnswer {
  shop_id: string;
  placement: "home" | "item" | "cart" | "after_payment" | "search_empty" | "category";
  /** the rung of the ladder: personalised (taste or last items), item_based (the page's item), segment (a category of the page, the cart or the shopper), popular, bundled (a shop without a release) */
  served_by: "personalised" | "item_based" | "segment" | "popular" | "bundled";
  /** the placement's model of the release, or `ladder` where it names none or the model knows nothing of this request, `popularity` where not even the ladder is better than what sells, `bundled` for a shop without a release; `/v1/shops/{shop_id}/readiness` tells why */
  model: string;
  /** release that gave the candidates; `none` for a shop without one */
  model_version: string;
  items: Array<ItemAnswer>;
  /** version of the shop's rules that had a say; absent where none had */
  rules_version?: number | null;
  /** with `explain=full`: what the list was made from */
  explain?: ListExplainAnswer | null;
  /** with `why_not`: why that item is not in the list */
  why_not?: WhyNotAnswer | null;
}

/** A shopper, and what the list is about. */
export interface ShopperBody {
  /** the shopper after login */
  user_id?: string | null;
  /** the shopper before login */
  anonymous_id?: string | null;
  /** the item that the list is about; needed for `item` */
  item_id?: string | null;
  /** items in the cart */
  cart_item_ids?: Array<string>;
  /** the order just paid, for `after_payment` */
  order_id?: string | null;
  /** items of the order just paid */
  order_item_ids?: Array<string>;
}

/** The list of one shopper. */
export interface ShoppersListAnswer {
  /** send it back in `recommendation_shown` and `recommendation_clicked` */
  request_id: string;
  /** the shopper after login */
  user_id: string | null;
  /** the shopper before login */
  anonymous_id: string | null;
  recommendations: RecommendationsAnswer;
}

/** What a rule of the shop did to an item. */
export interface TouchAnswer {
  /** name of the rule */
  rule: string;
  /** kind of the rule */
  kind: string;
  /** `x1.5`: the score times that; `last`: behind all others; `7 to 3`: moved; `new`: brought as a new item; `slot 2`: pinned */
  effect: string;
}

/** Why an item is not in the list. */
export interface WhyNotAnswer {
  item_id: string;
  /** one of listed, unknown_item, not_active, sold_out, page_item, in_cart, excluded, bought, filtered, hidden_by_rule, not_in_release, put_last_by_rule, just_seen, no_candidate, below_limit, gave_way */
  code: string;
  /** sentence for the shop, Chinese */
  zh: string;
  /** sentence for the shop, English */
  en: string;
  /** the rule that did it */
  rule: string | null;
  /** place of the item by score, from 1 */
  rank: number | null;
}
