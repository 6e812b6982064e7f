// Tokens as boxes over their bytes, to be clicked. Where some fuse, they slide together.

import { motion } from "./base.js";
import { make, put, set, style } from "./dom.js";
import { adopt, COLOURS } from "./style.js";

const { BLUE, FAINT, INK, ORANGE, PAPER } = COLOURS;
const SECONDS = 0.45; // of a fusion

const CSS = `
.gptlib-fusing { position: relative; display: flex; flex-flow: row wrap; gap: .3em .15em;
  padding: 4px; max-height: 17em; overflow-y: auto; }
.gptlib-fusing > .gptlib-part { display: flex; flex-direction: column; align-items: stretch;
  max-width: 100%; }
.gptlib-fusing > .gptlib-ends { margin-right: .55em; }
@container (max-width: 36em) { .gptlib-fusing { max-height: none; } }
.gptlib-live .gptlib-part > button { display: flex; flex-direction: column; align-items: center;
  padding: 0 .3em; min-width: 1.9em; line-height: 1.3; border-color: ${BLUE}; border-radius: 4px;
  background: color-mix(in srgb, ${BLUE} 10%, ${PAPER}); }
.gptlib-live .gptlib-part.gptlib-other > button {
  background: color-mix(in srgb, ${BLUE} 24%, ${PAPER}); }
.gptlib-live .gptlib-part.gptlib-fresh > button { border: 3px solid ${ORANGE};
  padding: 0 calc(.3em - 2px); margin: -2px 0; }
.gptlib-live .gptlib-part.gptlib-special > button { border: 2px dashed ${ORANGE}; }
.gptlib-part > button > .gptlib-code { font-weight: 600; max-width: 100%; overflow: hidden;
  text-overflow: ellipsis; }
.gptlib-bytes { display: flex; flex-wrap: wrap; justify-content: space-around; gap: 0 .3em;
  padding: 0 .15em;
  color: ${FAINT}; font-family: var(--jp-code-font-family, monospace); }
.gptlib-ghost { position: absolute; pointer-events: none; text-align: center; overflow: hidden;
  border: 2px solid ${ORANGE}; border-radius: 4px; color: ${INK}; white-space: pre;
  background: color-mix(in srgb, ${ORANGE} 12%, ${PAPER});
  font-family: var(--jp-code-font-family, monospace); font-weight: 600; }
`;

const hex = (byte) => byte.toString(16).toUpperCase().padStart(2, "0");
export const spelled = (bytes) => bytes.map(hex).join(" ");

/** The tokens in words: how many, and each with its id. */
export function tokensSaid(tokens) {
  const listed = tokens.map(({ name, id }) => `${name} ${id}`).join(", ");
  return `${tokens.length} token${tokens.length === 1 ? "" : "s"}: ${listed}.`;
}

/** Every other one is dark, counted anew in each piece, so that a fusion repaints its own only. */
function shades(tokens) {
  let dark = false;
  return tokens.map(({ piece }, place) => {
    dark = tokens[place - 1]?.piece === piece ? !dark : piece % 2 === 1;
    return dark;
  });
}

/**
 * A row of tokens. onPick(token): one was pressed; the arrow keys go from one to the next.
 *
 * update(tokens, {label, picked, moving}) takes tokens {id, name, bytes, start, piece, special,
 * fresh}; `start` is the place of the first byte in the text, `picked` a byte of the one that is
 * open, and `moving` says that the text is the same as before.
 */
export function tokenBoxes({ bytes = true, onPick }) {
  adopt(CSS);
  const root = make("div", { class: "gptlib-fusing", role: "group" });
  let shown = []; // [{token, node, button}]

  const box = (token) => {
    const { id, name, special } = token;
    const button = make(
      "button",
      { type: "button", on: { click: () => onPick(entry.token), keydown: go } },
      make("span", { class: "gptlib-code" }, name),
      make("span", {}, id),
    );
    const node = make("div", { class: "gptlib-part" }, button);
    const listed = token.bytes.map((byte) => make("span", {}, hex(byte)));
    if (bytes) node.append(make("div", { class: "gptlib-bytes" }, ...(special ? [] : listed)));
    set(button, { "aria-label": `${name}, id ${id}, ${token.bytes.length} bytes`, title: name });
    const entry = { token, node, button };
    return entry;
  };

  const go = (event) => {
    const steps = { ArrowRight: 1, ArrowLeft: -1, Home: -Infinity, End: Infinity };
    const place = shown.findIndex(({ button }) => button === event.currentTarget);
    const to = Math.max(0, Math.min(shown.length - 1, place + (steps[event.key] ?? NaN)));
    if (Number.isNaN(to)) return;
    event.preventDefault();
    reachable(to);
    shown[to].button.focus();
  };
  /** One of them is reached by Tab, the others from there. */
  const reachable = (place) =>
    shown.forEach(({ button }, k) => set(button, { tabindex: k === place ? 0 : -1 }));

  const spots = () => {
    const home = root.getBoundingClientRect();
    return shown.map(({ node, button }) => {
      const { left, top } = node.getBoundingClientRect();
      const { width, height } = button.getBoundingClientRect();
      const x = left - home.left + root.scrollLeft;
      return { x, y: top - home.top + root.scrollTop, width, height };
    });
  };

  /** From where each byte was to where it is: what is whole slides, what fused comes together. */
  const move = (before, places) => {
    const now = spots();
    shown.forEach(({ token, node }, k) => {
      const from = before.findIndex((old) => old.start <= token.start && token.start < old.end);
      if (from < 0) return;
      const [x, y] = [places[from].x - now[k].x, places[from].y - now[k].y];
      const timing = { duration: 1000 * SECONDS, easing: "ease-in-out" };
      const fused = before[from].end < token.start + token.bytes.length;
      if (!fused) {
        const path = [{ transform: `translate(${x}px, ${y}px)` }, { transform: "none" }];
        if (x || y) node.animate(path, timing);
        return;
      }
      node.animate([{ opacity: 0 }, { opacity: 0, offset: 0.6 }, { opacity: 1 }], timing);
      before.forEach((old, place) => {
        if (old.start < token.start || old.end > token.start + token.bytes.length) return;
        const first = old.start === token.start;
        ghost(old.name, places[place], now[k], first, timing);
      });
    });
  };

  const ghost = (name, from, to, first, timing) => {
    const node = make("div", { class: "gptlib-ghost", "aria-hidden": "true" }, name);
    style(node, {
      left: `${from.x}px`, top: `${from.y}px`, width: `${from.width}px`, height: `${from.height}px`,
    });
    root.append(node);
    const x = (first ? to.x : to.x + to.width - from.width) - from.x;
    const there = `translate(${x}px, ${to.y - from.y}px)`;
    const path = [
      { transform: "none", opacity: 1 },
      { transform: there, opacity: 1, offset: 0.7 },
      { transform: there, opacity: 0 },
    ];
    node.animate(path, timing).finished.then(() => node.remove(), () => node.remove());
  };

  return {
    root,
    update(tokens, { label, picked = null, moving = false }) {
      const moves = moving && motion(SECONDS) > 0 && shown.length > 0;
      const places = moves ? spots() : [];
      const before = shown.map(({ token: { start, bytes: data, name } }) => ({
        start, end: start + data.length, name,
      }));
      const focused = shown.find(({ button }) => button === document.activeElement)?.token.start;
      const key = ({ start, id }) => `${start} ${id}`;
      const kept = new Map(moving ? shown.map((entry) => [key(entry.token), entry]) : []);
      const dark = shades(tokens);
      shown = tokens.map((token, k) => {
        const entry = kept.get(key(token)) ?? box(token);
        entry.token = token;
        const marks = [
          "gptlib-part", dark[k] && "gptlib-other", token.fresh && "gptlib-fresh",
          token.special && "gptlib-special", tokens[k + 1]?.piece !== token.piece && "gptlib-ends",
        ];
        set(entry.node, { class: marks.filter(Boolean).join(" ") });
        const { start, bytes: data } = token;
        const open = picked !== null && start <= picked && picked < start + data.length;
        set(entry.button, { "aria-pressed": String(open) });
        for (const running of entry.node.getAnimations()) running.cancel();
        return entry;
      });
      const nodes = shown.map(({ node }) => node);
      if (nodes.length !== root.childNodes.length || nodes.some((n, k) => n !== root.childNodes[k]))
        put(root, ...nodes);
      set(root, { "aria-label": label });
      const at = (start) => shown.findLastIndex(({ token }) => token.start <= start);
      const place = Math.max(0, at(focused ?? picked ?? 0));
      reachable(place);
      if (focused !== undefined) shown[place]?.button.focus({ preventScroll: true });
      if (moves) move(before, places);
    },
  };
}
