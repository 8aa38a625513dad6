// Questions to this server; every answer is {status, body, requestId}, also when there is none.
import { asked } from "./visitor.js";

const base = `/storefront/${encodeURIComponent(document.body.dataset.shop)}`;

export async function ask(path, values = {}) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(values)) {
    for (const each of Array.isArray(value) ? value : [value]) if (each !== null && each !== undefined) query.append(name, each);
  }
  try {
    const answer = await fetch(`${base}/${path}?${query}`);
    return { status: answer.status, body: await answer.json(), requestId: answer.headers.get("X-Request-ID") };
  } catch {
    return { status: 0, body: { error: { code: "offline" } }, requestId: null };
  }
}
export const askList = (placement, values = {}) => ask("recommendations", { placement, ...asked(), ...values });
export const askCategory = (category) => ask("category", { category, ...asked() });
export const codeOf = (answer) => answer.body?.error?.code || String(answer.status);
