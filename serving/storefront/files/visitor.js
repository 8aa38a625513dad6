// Who is here: the tracker's anonymous id, one of the made-up shoppers, the choice about personal lists, and the cart.
const shop = document.body.dataset.shop;
const prefix = `storefront.${shop}.`;

function read(name, otherwise) {
  try { return JSON.parse(localStorage.getItem(prefix + name)) ?? otherwise; } catch { return otherwise; }
}
function write(name, value) {
  try { localStorage.setItem(prefix + name, JSON.stringify(value)); } catch { /* without storage it holds for this page */ }
}
const state = { user: read("user", null), personal: read("personal", true), cart: read("cart", []) };

export const user = () => state.user;
export const isPersonal = () => state.personal;
export const cart = () => state.cart;

export function logIn(name) {
  state.user = name;
  write("user", name);
  window.jishi?.identify(name);
}
export function setPersonal(isOn) {
  state.personal = isOn;
  write("personal", isOn);
}
export function setCart(lines) {
  state.cart = lines;
  write("cart", lines);
}

/** As much of a text as a list may be asked with; an address can say anything. */
function cut(text) {
  return text && text.slice(0, 200);
}
/** What the page says of its visitor when it asks for a list. */
export function asked() {
  const { channel = null, device = null } = window.jishi?.context() || {};
  const visitor = { anonymous_id: window.jishi?.anonymousId() || null, user_id: state.user, channel: cut(channel), device };
  return state.personal ? visitor : { ...visitor, personalised: false };
}
/** Tell the collector what happened, at once: the tracker alone would wait for more. */
export function tell(call, ...values) {
  window.jishi?.[call](...values);
  window.jishi?.flush();
}
