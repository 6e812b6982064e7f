// A draw that can be seen: all probabilities laid end to end from 0 to 1, in the order of their ids,
// and a random number that falls on one of them.

import { make, set, style } from "./dom.js";

const SMALLEST = 0.004; // of the strip: what is narrower is drawn together with its neighbours

/** update(probs, name): lay the strip. drop(u, id): let the number fall. lift(): take it away. */
export function strip() {
  const row = make("div", { class: "gptlib-strip-row gptlib-code" });
  const number = make("span");
  const marker = make("div", { class: "gptlib-marker gptlib-moves" }, number);
  const root = make("div", { class: "gptlib-strip", role: "img" }, row, marker);
  let segments = [];
  let shown = null;
  marker.hidden = true;

  return {
    root,
    /** name(id): a token in words. */
    update(probs, name) {
      if (probs === shown) return; // a mark on it stays
      shown = probs;
      segments = layout(probs);
      let dark = 0;
      row.replaceChildren(
        ...segments.map(({ p, id }) => {
          const words = id !== null && p > 0.06 ? name(id) : "";
          const tint = id !== null && dark++ % 2 ? "gptlib-other" : "";
          const title = id === null ? "unlikely tokens" : name(id);
          return style(make("span", { title, class: tint }, words), { width: `${100 * p}%` });
        }),
      );
      const parts = segments.filter(({ id, p }) => id !== null && p > 0.06).map(({ id }) => name(id));
      set(root, {
        "aria-label": `All probabilities from 0 to 1, in the order of their ids: ${parts.join(", ")}.`,
      });
    },
    drop(u, id, words) {
      marker.hidden = false;
      marker.getBoundingClientRect(); // it begins at 0, and only then moves
      number.textContent = u.toFixed(3);
      style(marker, { left: `${100 * u}%` });
      style(number, { transform: `translate(${-100 * u}%, 1.45em)` });
      const place = segments.findIndex((s) => s.ids.includes(id));
      [...row.children].forEach((s, k) => s.classList.toggle("gptlib-hit", k === place));
      set(root, { "aria-label": `The random number ${u.toFixed(3)} falls on ${words}.` });
    },
    lift() {
      marker.hidden = true;
      style(marker, { left: "0%" });
      [...row.children].forEach((s) => s.classList.remove("gptlib-hit"));
    },
  };
}

/** [{p, id, ids}]: one segment a token, the tiny ones between two others as one with id null. */
function layout(probs) {
  let total = 0;
  for (const p of probs) total += p;
  const found = [];
  let tiny = null;
  probs.forEach((p, id) => {
    if (p / total >= SMALLEST) {
      found.push({ p: p / total, id, ids: [id] });
      tiny = null;
    } else if (p > 0) {
      if (!tiny) found.push((tiny = { p: 0, id: null, ids: [] }));
      tiny.p += p / total;
      tiny.ids.push(id);
    }
  });
  return found;
}
