// All heads of a model as small tables, a row for each layer, to choose one from.

import { make, put, set, style, two } from "./dom.js";
import { sample } from "./arcs.js";
import { pooled, smallTable } from "./heat.js";
import { roving } from "./roving.js";
import { COLOURS } from "./style.js";

/**
 * update(looks): other tables.
 *
 * choose({layer, head, looks, names, query}): the one that is marked; each says where the word
 * `query` looks most.
 */
export function headGrid({ layers, heads, onChoose }) {
  const side = Math.max(24, Math.min(44, Math.floor(240 / heads) - 6));
  const cells = [];
  const names = heads <= 6 ? [...Array(heads).keys()] : [];
  const parts = names.length
    ? [make("span"), ...names.map((h) => make("span", { class: "gptlib-head-name" },
      make("span", {}, make("span", { class: "gptlib-roomy" }, "head "), h), sample(h)))]
    : [];
  for (let layer = 0; layer < layers; layer++) {
    parts.push(make("span", { class: "gptlib-head-name" }, "layer", make("span", {}, layer)));
    for (let head = 0; head < heads; head++) {
      const table = smallTable();
      const button = make("button", {
        type: "button", class: "gptlib-head-cell", on: { click: () => onChoose(layer, head) },
      }, table.root);
      cells.push({ layer, head, table, button });
      parts.push(button);
    }
  }
  const root = make("div", { class: "gptlib-heads", role: "group" });
  style(put(root, ...parts), { "grid-template-columns": `max-content repeat(${heads}, max-content)` });
  const rest = roving(root, { buttons: () => cells.map(({ button }) => button), across: () => heads });

  return {
    root,
    update(looks) {
      for (const { layer, head, table } of cells) {
        const rows = Array.from({ length: looks.T }, (_, t) => looks.row(layer, head, t).weights);
        table.update(pooled(rows), side, looks.masked);
      }
    },
    choose({ layer, head, looks, names, query }) {
      set(root, { "aria-label": `All heads: where “${names[query]}” looks most` });
      for (const cell of cells) {
        const key = looks.strongest(cell.layer, cell.head, query);
        const weight = two(looks.row(cell.layer, cell.head, query).weights[key]);
        const words = `layer ${cell.layer}, head ${cell.head}; most on ${names[key]}, ${weight}`;
        const pressed = cell.layer === layer && cell.head === head;
        set(cell.button, { "aria-label": words, title: words, "aria-pressed": String(pressed) });
      }
      rest(layer * heads + head);
    },
  };
}

export const HEAD_GRID_CSS = `
.gptlib-heads { display: grid; gap: .2em .3em; align-items: center; justify-items: center;
  align-content: start; justify-content: start; max-width: 100%; max-height: 9.5em; overflow: auto; padding: 3px; }
.gptlib-head-name { display: flex; flex-direction: column; align-items: center; line-height: 1.1; }
@container (max-width: 20em) {
  .gptlib-heads { gap: .2em; }
  .gptlib-heads .gptlib-roomy { display: none; }
}
.gptlib-live button.gptlib-head-cell { padding: 2px; min-height: 0; line-height: 0;
  background: ${COLOURS.PAPER}; forced-color-adjust: none; }
.gptlib-live button.gptlib-head-cell[aria-pressed=true] { box-shadow: 0 0 0 3px ${COLOURS.ORANGE}; }
`;
