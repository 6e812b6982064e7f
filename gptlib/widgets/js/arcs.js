// A sentence whose words can be pointed at: arcs show where the word looks, a stroke for each head.

import { draw, make, say, set, style, two, unseen } from "./dom.js";
import { heated } from "./heat.js";
import { roving } from "./roving.js";
import { COLOURS, CROSSED } from "./style.js";

const INKS = [COLOURS.BLUE, COLOURS.ORANGE, "#2e8b57", "#a35bc4"];
const DASHES = [[], [7, 4], [1.5, 3.5], [10, 4, 2, 4]];
const SEEN = 0.04; // a weight that has an arc
const MANY = 24; // words: more of them scroll, in a place as high as two lines

/** How a head is drawn: up to 16 heads, no two alike. */
export function stroke(head, width = 2) {
  const dash = DASHES[(head + Math.floor(head / INKS.length)) % DASHES.length];
  const long = Math.max(1, width / 2.5);
  return {
    stroke: INKS[head % INKS.length], "stroke-width": width.toFixed(1),
    "stroke-dasharray": dash.length ? dash.map((step) => (step * long).toFixed(1)).join(" ") : null,
  };
}

/** A short line in the stroke of a head. */
export function sample(head) {
  const line = draw("line", { x1: 0, y1: 5, x2: 40, y2: 5, ...stroke(head, 3) });
  return draw("svg", { width: 40, height: 10, "aria-hidden": "true" }, line);
}

/**
 * update({names, heads, head, query, weights(head, place), hidden(query, key), focus, label(place)}).
 *
 * label(place): where this word looks, in words. onPick(place): a click.
 *
 * Where the words are is read when their sizes have changed, right after the browser has laid them
 * out: to ask after each change of a colour would have it lay out the page each time.
 */
export function arcs({ onPick }) {
  const words = make("div", { class: "gptlib-arc-words" });
  const over = draw("svg", { class: "gptlib-arc-lines", "aria-hidden": "true" });
  const heard = set(unseen(), { role: "status" }); // of a word that is pointed at, not chosen
  const root = make("div", { class: "gptlib-arcs", role: "group" }, heard, over, words);
  const buttons = () => [...words.children].map((token) => token.firstChild);
  const rest = roving(words, { buttons });
  let view = null;
  let pointed = null;
  let boxes = [];
  let revealed = ""; // the word that has been scrolled into view, and its sentence
  const sizes = new ResizeObserver(() => {
    boxes = buttons().map(boxOf);
    revealed = "";
    paintOver();
    reveal();
  });
  sizes.observe(words);

  const placeOf = (target) => [...words.children].indexOf(target.closest(".gptlib-token"));
  const point = (place) => {
    if (place === pointed) return;
    pointed = place;
    paint();
  };
  words.addEventListener("pointerover", (event) => {
    const place = placeOf(event.target);
    if (place >= 0) point(place);
  });
  words.addEventListener("pointerleave", () => point(null));
  words.addEventListener("focusin", (event) => point(placeOf(event.target)));
  words.addEventListener("focusout", () => point(null));
  words.addEventListener("click", (event) => {
    const place = placeOf(event.target);
    if (place >= 0) onPick(place);
  });

  function paint() {
    const { names, head, query, weights, hidden, focus } = view;
    const shown = placeShown();
    const row = weights(head, shown);
    while (words.children.length > names.length) words.lastChild.remove();
    names.forEach((name, place) => {
      const token = words.children[place] ?? words.appendChild(makeWord(sizes));
      const [button, below] = token.children;
      say(button, name);
      set(button, {
        "aria-label": `${place}: ${name}`, title: `${place}: ${name}`,
        "aria-pressed": String(place === query),
      });
      const off = hidden(shown, place);
      style(button, heated(off ? 0 : row[place]));
      button.classList.toggle("gptlib-looks", place === shown);
      button.classList.toggle("gptlib-framed", focus.includes(place));
      below.classList.toggle("gptlib-crossed", off);
      const [number, spoken] = below.children;
      set(say(number, off ? "0" : two(row[place])), { "aria-hidden": off ? "true" : null });
      say(spoken, off ? "hidden" : "");
    });
    const label = view.label(shown);
    set(root, { "aria-label": label });
    say(heard, shown === query ? "" : label);
    paintOver();
  }

  const placeShown = () => Math.min(pointed ?? view.query, view.names.length - 1);

  /** The arcs, unless there are words whose places are not known yet. */
  function paintOver() {
    if (view && boxes.length === view.names.length) paintArcs(over, boxes, view, placeShown());
  }

  /** Where words scroll, show the chosen one, once: the reader may scroll away from it. */
  function reveal() {
    const { names, query } = view ?? { names: [] };
    const now = JSON.stringify([query, names]);
    if (names.length <= MANY || now === revealed || boxes.length !== names.length) return;
    revealed = now;
    const { top, bottom, room } = boxes[query];
    const over = top - 1.3 * room; // with its arcs
    root.scrollTop = Math.max(bottom - root.clientHeight, Math.min(over, root.scrollTop));
  }

  return {
    root,
    update(next) {
      view = next;
      if (pointed !== null && pointed >= view.names.length) pointed = null;
      root.classList.toggle("gptlib-long", view.names.length > MANY);
      paint();
      reveal();
      rest(view.query);
    },
  };
}

function makeWord(sizes) {
  const button = make("button", { type: "button", class: "gptlib-box" });
  const below = make("span", { class: "gptlib-below" }, make("span"), unseen());
  const token = make("div", { class: "gptlib-token" }, button, below);
  sizes.observe(token);
  return token;
}

function paintArcs(over, boxes, { heads, head, weights }, shown) {
  const from = boxes[shown];
  const room = from.room;
  const found = [];
  for (let h = 0; h < heads; h++)
    weights(h, shown).forEach((weight, key) => {
      if (weight >= SEEN) found.push({ h, key, weight });
    });
  found.sort((a, b) => (a.h === head) - (b.h === head) || a.weight - b.weight);
  while (over.children.length > found.length) over.lastChild.remove();
  found.forEach(({ h, key, weight }, k) => {
    const path = over.children[k] ?? over.appendChild(draw("path", { fill: "none" }));
    const aside = (h - (heads - 1) / 2) * Math.min(5, 24 / heads);
    const high = room * (0.55 + (0.75 * (h + 1)) / heads);
    const d = arc(from, boxes[key], aside, high, key === shown);
    set(path, { d, ...stroke(h, 1 + 5 * weight), "stroke-opacity": h === head ? "1" : "0.6" });
  });
}

function boxOf(button) {
  const { offsetLeft: left, offsetTop: top, offsetWidth: width, offsetHeight: height } = button;
  const below = button.nextSibling.offsetHeight;
  return { x: left + width / 2, top, bottom: top + height + below, room: 1.15 * height };
}

/** From a word to the word that it looks at: over the line, or through the room between lines. */
function arc(from, to, aside, high, self) {
  const [x, y] = [from.x + aside, from.top];
  if (self) {
    const wide = 6 + Math.abs(aside);
    return `M${x - wide} ${y}C${x - wide} ${y - high} ${x + wide} ${y - high} ${x + wide} ${y}`;
  }
  const end = to.x + aside;
  if (Math.abs(to.top - from.top) < 4) return `M${x} ${y}C${x} ${y - high} ${end} ${y - high} ${end} ${to.top}`;
  if (to.top < from.top) return `M${x} ${y}C${x} ${y - high} ${end} ${to.bottom + high} ${end} ${to.bottom}`;
  return `M${x} ${from.bottom}C${x} ${from.bottom + high} ${end} ${to.top - high} ${end} ${to.top}`;
}

export const ARCS_CSS = `
.gptlib-arcs { position: relative; }
.gptlib-arc-lines { position: absolute; inset: 0; width: 100%; height: 100%; pointer-events: none;
  overflow: visible; }
.gptlib-arc-words { position: relative; display: flex; flex-flow: row wrap; gap: 1.8em .2em; padding-top: 1.7em; }
.gptlib-arc-words > .gptlib-token { min-width: 3.2em; }
.gptlib-arcs.gptlib-long { max-height: 9.75em; overflow-y: auto; border: 1px solid ${COLOURS.GRID};
  border-radius: 4px; scroll-padding: 1.9em 0 1.4em; }
.gptlib-long > .gptlib-arc-words { padding-inline: .3em; }
@container (max-width: 36em) { .gptlib-arcs.gptlib-long { max-height: 21em; } }
.gptlib-live .gptlib-arcs button.gptlib-box { min-height: 1.75em; min-width: 2.7em; padding: 0 .3em;
  forced-color-adjust: none; }
.gptlib-live .gptlib-arcs button.gptlib-looks { box-shadow: 0 0 0 2px ${COLOURS.INK}; }
.gptlib-live .gptlib-arcs button[aria-pressed=true] { box-shadow: 0 0 0 3px ${COLOURS.INK};
  font-weight: 700; }
.gptlib-live .gptlib-arcs button.gptlib-framed { outline: 2px dashed ${COLOURS.ORANGE};
  outline-offset: 3px; }
.gptlib-below { line-height: 1.3; background: ${COLOURS.PAPER}; align-self: stretch; text-align: center;
  white-space: nowrap; contain: inline-size; /* no other number moves the words */ }
.gptlib-below.gptlib-crossed { background: ${CROSSED}; }
`;
