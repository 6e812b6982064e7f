// Attention weights as a square: each row a token that looks, each column one that it looks at.

import { make, say, set, style, two } from "./dom.js";
import { heated } from "./heat.js";

const NUMBERS = 7; // tokens: with more there is no room for the numbers in the cells

/** update(rows, names, label): rows[t] holds t + 1 weights, or as many as there are tokens. */
export function heatmap() {
  const root = make("div", { class: "gptlib-heat", role: "img" });
  let cells = [];
  let heads = [];
  let count = -1;

  function build(size) {
    count = size;
    const name = () => make("span", { class: "gptlib-name gptlib-code" });
    heads = [...Array(size)].map(name);
    const sides = [...Array(size)].map(name);
    cells = [...Array(size)].map(() => [...Array(size)].map(() => make("span", { class: "gptlib-cell" })));
    root.replaceChildren(
      make("span"), ...heads, ...cells.flatMap((row, t) => [sides[t], ...row]));
    style(root, { "grid-template-columns": `minmax(3em, 5.5em) repeat(${size}, minmax(0, 1fr))` });
    heads.sides = sides;
    for (const head of heads) style(head, { "text-align": "center", "padding-right": "0" });
  }

  return {
    root,
    update(rows, names, label) {
      if (names.length !== count) build(names.length);
      set(root, { "aria-label": label });
      const roomy = names.length <= NUMBERS;
      names.forEach((name, t) => {
        say(heads[t], roomy ? name : "");
        say(heads.sides[t], name);
        set(heads.sides[t], { title: name });
        names.forEach((other, s) => {
          const cell = cells[t][s];
          const weight = rows[t][s];
          const future = weight === undefined;
          cell.classList.toggle("gptlib-future", future);
          style(cell, future ? { "background-color": "", color: "" } : heated(weight));
          say(cell, !roomy ? "" : future ? "0" : two(weight));
          set(cell, { title: future ? "hidden" : `${name} looks at ${other}: ${two(weight)}` });
        });
      });
    },
  };
}

/** Where a token looks, in words. */
export function looks(row, names) {
  const parts = Array.from(row, (weight, s) => [names[s], two(weight)]).filter(([, w]) => w !== "0.00");
  return parts.map(([name, weight]) => `at “${name}” ${weight}`).join(", ");
}
