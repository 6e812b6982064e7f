// Numbers as a strip of colour: blue above zero, orange below, the page's own colour at zero.

import { make, set, style, two } from "./dom.js";
import { COLOURS } from "./style.js";

/** The largest size among some rows of numbers: what is drawn in full colour. */
export function reach(...rows) {
  let most = 0;
  for (const row of rows) for (const x of row) most = Math.max(most, Math.abs(x));
  return most || 1;
}

/** A strip; update(values, scale, label): scale is the number that has the full colour. */
export function strip() {
  const root = make("div", { class: "gptlib-vector", role: "img" });
  return {
    root,
    update(values, scale, label) {
      style(root, { "background-image": gradient(values, scale) });
      set(root, { "aria-label": label, title: label });
      return root;
    },
  };
}

/** One strip that stays as it is. */
export function vector(values, scale, label) {
  return strip().update(values, scale, label);
}

/** The same as the image of an element's background. */
export function gradient(values, scale) {
  const width = 100 / values.length;
  const stops = Array.from(values, (value, k) => {
    const colour = tint(value, scale);
    return `${colour} ${(k * width).toFixed(2)}% ${((k + 1) * width).toFixed(2)}%`;
  });
  return `linear-gradient(to right, ${stops.join(", ")})`;
}

/** The colour of a number. */
export function tint(value, scale) {
  const share = Math.min(1, Math.abs(value) / scale);
  const { BLUE, ORANGE, PAPER } = COLOURS;
  return `color-mix(in srgb, ${value < 0 ? ORANGE : BLUE} ${(100 * share).toFixed(0)}%, ${PAPER})`;
}

/** The first few numbers in words, such as "0.12, −0.40, …". */
export function few(values, count = 6) {
  const words = Array.from(values.slice(0, count), two).join(", ");
  return values.length > count ? `${words}, …` : words;
}

export const VECTOR_CSS = `
.gptlib-vector { height: 1.3em; min-width: 3em; flex: 1; border: 1px solid ${COLOURS.GRID};
  forced-color-adjust: none; }
.gptlib-labelled { display: grid; grid-template-columns: minmax(6em, max-content) 1fr; gap: .3em .8em;
  align-items: center; }
@container (max-width: 36em) { .gptlib-labelled { grid-template-columns: 1fr; } }
`;
