// Elements from data. Texts become text nodes only, so that no title or id can become markup.
const SVG = "http://www.w3.org/2000/svg";

function filled(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value === true) node.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) node.setAttribute(name, value);
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}
export const element = (tag, attributes = {}, ...children) => filled(document.createElement(tag), attributes, children);
const drawn = (tag, attributes, ...children) => filled(document.createElementNS(SVG, tag), attributes, children);

function hash(text) {
  let sum = 2166136261;
  for (const character of text) sum = Math.imul(sum ^ character.codePointAt(0), 16777619) >>> 0;
  return sum;
}

/** A picture that stands for an item: the category gives colour and letter, the item its pattern. */
export function picture(item) {
  const hue = hash(item.category) % 360, turn = hash(item.item_id), kind = turn % 3;
  const light = `hsl(${hue} 55% 88%)`, middle = `hsl(${hue} 45% 72%)`, dark = `hsl(${hue} 55% 26%)`;
  const shapes = [0, 1, 2].map((step) => {
    const x = 15 + ((turn >>> (step * 5)) % 70), y = 15 + ((turn >>> (step * 7)) % 70), size = 16 + ((turn >>> (step * 3)) % 20);
    if (kind === 0) return drawn("circle", { cx: x, cy: y, r: size, fill: middle, "fill-opacity": .6 });
    if (kind === 1) return drawn("rect", { x: x - size, y: y - size, width: 2 * size, height: 2 * size, rx: 8, fill: middle, "fill-opacity": .6 });
    return drawn("path", { d: `M${x} ${y - size}l${size} ${2 * size}h-${2 * size}z`, fill: middle, "fill-opacity": .6 });
  });
  const letter = drawn("text", { x: 50, y: 64, "text-anchor": "middle", "font-size": 38, "font-weight": 700, fill: dark });
  letter.textContent = [...item.category][0] || "·";
  return drawn("svg", { viewBox: "0 0 100 100", preserveAspectRatio: "xMidYMid slice", class: "picture", "aria-hidden": "true", focusable: "false" },
    drawn("rect", { width: 100, height: 100, fill: light }), ...shapes, letter);
}
