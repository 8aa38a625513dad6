import type { BatchIn, BatchOut, CategoryPageIn, RecommendationsOut, RecommendationsQuery } from "./api_types";

type Placement = RecommendationsOut["placement"];
type Shopper = { user_id?: string; anonymous_id?: string };
type Event = Shopper & { type: string; properties: Record<string, unknown> };

export class RequestRefused extends Error {
  readonly status: number;
  readonly code: string;
  readonly field: string | null;
}
export class NoAnswer extends Error {}
export class ItemList {
  readonly placement: Placement;
  readonly itemIds: string[];
  readonly answer: RecommendationsOut | null;
  readonly requestId: string | null;
  readonly problem: string | null;
  shown(shopper?: Shopper): Event[];
  clicked(itemId: string, shopper?: Shopper): Event[];
}
export class Recommendations {
  constructor(url: string, shopId: string, key: string, options?: { timeoutMs?: number; bundled?: Partial<Record<Placement, string[]>> });
  recommend(asked?: RecommendationsQuery): Promise<ItemList>;
  categoryOrder(page: CategoryPageIn): Promise<ItemList>;
  batch(asked: BatchIn, options?: { timeoutMs?: number }): Promise<BatchOut>;
}
