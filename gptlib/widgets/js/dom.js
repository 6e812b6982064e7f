// Elements made by hand: text reaches the page as text, and only attributes that we name are set.

const SVG = "http://www.w3.org/2000/svg";
// What no document can hold: most control characters, and half of a surrogate pair.
const UNWRITABLE = /[^\t\n\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu;
const LINKS = /^(href|src|srcdoc|action|on.*)$/i; // no attribute of ours can load or run anything

/** Plain text in which what no document can hold has become the replacement sign. */
export function writable(text) {
  return String(text).replace(UNWRITABLE, "\ufffd");
}

const TAKES_KEYS = new Set(["input", "select", "button", "summary"]);

/** An HTML element. Strings among the children become text; `on` holds listeners. */
export function make(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  // What takes the focus keeps its keys: JupyterLab would move to another cell by an arrow.
  if (TAKES_KEYS.has(tag) || "tabindex" in attributes)
    node.setAttribute("data-lm-suppress-shortcuts", "true");
  return fill(node, attributes, children);
}

/** The same for SVG. */
export function draw(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

function fill(node, { on = {}, ...attributes }, children) {
  set(node, attributes);
  for (const [event, listener] of Object.entries(on)) node.addEventListener(event, listener);
  node.append(...children.map((child) => (child instanceof Node ? child : writable(child))));
  return node;
}

/** Set attributes: null or false takes one away, true sets it empty. Nothing is touched twice. */
export function set(node, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    if (LINKS.test(name)) throw new Error(`${name} is no attribute for an explorer`);
    if (value === null || value === undefined || value === false) node.removeAttribute(name);
    else {
      const words = value === true ? "" : writable(value);
      if (node.getAttribute(name) !== words) node.setAttribute(name, words);
    }
  }
  return node;
}

/** Set style properties, by their CSS names. */
export function style(node, properties) {
  for (const [name, value] of Object.entries(properties)) node.style.setProperty(name, value);
  return node;
}

/** Write text into an element, if it is not there already. */
export function say(node, words) {
  const text = writable(words);
  if (node.textContent !== text) node.textContent = text;
  return node;
}

/** Put these children in place of all others. */
export function put(node, ...children) {
  node.replaceChildren(...children);
  return node;
}

/** Text for a screen reader alone. */
export function unseen(words = "") {
  return make("span", { class: "gptlib-unseen" }, words);
}

// ---- Numbers in words, as gptlib/widgets/svg.py has them ----

/** A number to two digits: a tie, and a hair beside it, go up in size. */
export function two(number) {
  if (Number.isNaN(number)) return "NaN";
  if (!Number.isFinite(number)) return number < 0 ? "−∞" : "∞";
  const shown = (number + (number < 0 ? -1e-6 : 1e-6)).toFixed(2);
  return shown === "-0.00" ? "0.00" : shown.replace("-", "−");
}

/** A probability to two digits; 0 is nothing at all, and what only rounds to it is not. */
export function chance(p) {
  return p === 0 ? "0" : two(p) === "0.00" ? "<0.01" : two(p);
}

/** A probability as the number that is printed, so that a bar of this length says the same. */
export function rounded(p) {
  return Math.round((p + 1e-6) * 100) / 100;
}

/** 12345 -> "12,345". */
export function whole(number) {
  return Number(number).toLocaleString("en-US");
}

/** Whether the reader has asked for no motion. */
export function still() {
  return matchMedia("(prefers-reduced-motion: reduce)").matches;
}
