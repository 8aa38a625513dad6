import type { BatchBody, BatchAnswer, CategoryPageBody, RecommendationsAnswer, RecommendationsQuery } from "./api_types";

type Placement = RecommendationsAnswer["placement"];
type Shopper = { user_id?: string; anonymous_id?: string };
type Event = Shopper & { type: string; properties: Record<string, unknown> };

export class RecommendationsRefused extends Error {
  readonly status: number;
  readonly code: string;
  readonly field: string | null;
}
export class NoAnswer extends Error {}
export class AnsweredList {
  readonly placement: Placement;
  readonly itemIds: string[];
  readonly answer: RecommendationsAnswer | null;
  readonly requestId: string | null;
  readonly problem: string | null;
  shown(shopper?: Shopper): Event[];
  clicked(itemId: string, shopper?: Shopper): Event[];
}
export class Recommendations {
  constructor(url: string, shopId: string, key: string, options?: { timeoutMs?: number; bundled?: Partial<Record<Placement, string[]>> });
  recommend(asked?: RecommendationsQuery): Promise<AnsweredList>;
  categoryOrder(page: CategoryPageBody): Promise<AnsweredList>;
  batch(asked: BatchBody, options?: { timeoutMs?: number }): Promise<BatchAnswer>;
}
