// One head's sum for one query and one key, step by step: product, scale, softmax, mixture.
//
// All take the view of the moment: {names, looks, layer, head, query, key}.

import { make, two } from "./dom.js";
import { HEAT } from "./heat.js";
import { COLOURS } from "./style.js";
import { few, reach, vector } from "./vectors.js";

const ROWS = 4; // keys that a table lists

const words = (...all) => make("p", { class: "gptlib-step-words" }, ...all);

/** A row of strips: [[name, values, what a screen reader hears], ...] in one scale each. */
function strips(...rows) {
  return make("div", { class: "gptlib-strips" }, ...rows.flatMap(([name, values, scale]) => [
    make("span", { class: "gptlib-code" }, name),
    vector(values, scale ?? reach(values), `${name}: ${few(values)}`),
  ]));
}

/** q and k of the pair, number by number, and the sum of their products. */
function product({ names, looks, layer, head, query, key }) {
  const q = looks.part(layer, "q", head, query);
  const k = looks.part(layer, "k", head, key);
  const each = Array.from(q, (value, c) => value * k[c]);
  const scale = reach(q, k);
  const best = each.reduce((most, value, c) => (Math.abs(value) > Math.abs(each[most]) ? c : most), 0);
  const sum = looks.row(layer, head, query).products[key];
  return [
    strips([`q of ${names[query]}`, q, scale], [`k of ${names[key]}`, k, scale], ["q × k", each]),
    words(`Number by number, then added up: q · k = ${two(sum)}. The largest part is number ${best}: `,
      `${two(q[best])} × ${two(k[best])} = ${two(each[best])}.`),
  ];
}

/** The product, scaled and masked. */
function score(view) {
  const { names, looks, layer, head, query, key } = view;
  const { products, scores } = looks.row(layer, head, query);
  const rows = listed(view).map((k) => [names[k], two(products[k]), two(scores[k])]);
  const rule = looks.scaled
    ? `The head has ${looks.size} numbers: q · k / √${looks.size} = ${two(products[key])} / ` +
      `${two(Math.sqrt(looks.size))} = ${two(products[key] / Math.sqrt(looks.size))}.`
    : `No scale: the score is q · k itself, ${two(products[key])}.`;
  const mask = looks.hidden(query, key)
    ? ` “${names[key]}” comes after “${names[query]}”: the mask makes the score −∞.` : "";
  return [words(rule + mask), table(["key", "q · k", "score"], rows, listed(view).indexOf(key))];
}

/** The softmax of the whole row. */
function softmaxOfRow(view) {
  const { names, looks, layer, head, query, key } = view;
  const { scores, weights } = looks.row(layer, head, query);
  const shown = listed(view);
  const powers = Array.from(scores, Math.exp);
  const sum = powers.reduce((total, power) => total + power, 0);
  const rows = shown.map((k) => [names[k], two(scores[k]), number(powers[k]), two(weights[k])]);
  const rest = [...weights.keys()].filter((k) => !shown.includes(k) && !looks.hidden(query, k));
  const total = (values) => rest.reduce((all, k) => all + values[k], 0);
  if (rest.length) rows.push([`${rest.length} others`, "", number(total(powers)), two(total(weights))]);
  rows.push(["sum", "", number(sum), two(1)]);
  return [
    table(["key", "score", "e^score", "weight"], rows, shown.indexOf(key), 3),
    words(`Each power, divided by their sum: ${number(powers[key])} / ${number(sum)} = ${two(weights[key])}.`),
  ];
}

/** The values, each times its weight, added up. */
function mixture(view) {
  const { names, looks, layer, head, query } = view;
  const { weights } = looks.row(layer, head, query);
  const shown = listed(view, 4).filter((k) => !looks.hidden(query, k));
  const values = shown.map((k) => looks.part(layer, "v", head, k));
  const out = looks.output(layer, head, query);
  const scale = reach(out, ...values);
  const rest = looks.T - shown.length;
  const left = shown.reduce((sum, k) => sum - weights[k], 1);
  return [
    strips(...shown.map((k, place) => [`${two(weights[k])} × v of ${names[k]}`, values[place], scale]),
      ["= output", out, scale]),
    words(rest ? `The others together have weight ${two(Math.max(0, left))}. ` : "",
      `The output begins ${few(out, 4)}`),
  ];
}

export const HEAD_STEPS = { "q · k": product, score, softmax: softmaxOfRow, values: mixture };

/** The keys that a table lists: the chosen one, and those with the largest weights, as they come. */
function listed({ looks, layer, head, query, key }, most = ROWS) {
  const { weights } = looks.row(layer, head, query);
  const order = [...weights.keys()].filter((k) => k !== key && !looks.hidden(query, k));
  order.sort((a, b) => weights[b] - weights[a] || a - b);
  return [key, ...order.slice(0, most - 1)].sort((a, b) => a - b);
}

/** A power of e in few signs. */
function number(value) {
  if (!Number.isFinite(value)) return "∞";
  const few = value >= 1e5 || (value > 0 && value < 1e-3);
  return few ? value.toExponential(1) : String(Number(value.toPrecision(3)));
}

/** A table; `chosen`: the row that is marked; `bar`: the column that is drawn as a bar too. */
function table(heads, rows, chosen, bar = null) {
  const cell = (words, column) => {
    const node = make(column ? "td" : "th", column ? {} : { scope: "row" }, words);
    if (column === bar && words)
      node.style.backgroundImage = `linear-gradient(to right, color-mix(in srgb, ${HEAT} 30%, transparent) ` +
        `${100 * Number(words)}%, transparent 0)`;
    return node;
  };
  return make("table", { class: "gptlib-steps" },
    make("thead", {}, make("tr", {}, ...heads.map((head) => make("th", { scope: "col" }, head)))),
    make("tbody", {}, ...rows.map((row, k) =>
      make("tr", { "aria-current": k === chosen ? "true" : null }, ...row.map(cell)))),
  );
}

export const HEAD_STEPS_CSS = `
.gptlib-step-words { margin: .3em 0; }
.gptlib-strips { display: grid; grid-template-columns: minmax(6em, max-content) minmax(4em, 1fr);
  gap: .3em .8em; align-items: center; }
.gptlib-live .gptlib-steps th:first-child { text-align: left; }
.gptlib-live .gptlib-steps { border-collapse: collapse; width: 100%; margin: .2em 0; font-size: 1em;
  border: none; }
.gptlib-live .gptlib-steps th, .gptlib-live .gptlib-steps td { padding: .05em .4em; text-align: right;
  border: none; border-bottom: 1px solid ${COLOURS.GRID}; font-size: 1em; color: ${COLOURS.INK};
  font-weight: 400; max-width: none; white-space: nowrap; background: none; }
.gptlib-live .gptlib-steps th[scope=row] { font-family: var(--jp-code-font-family, monospace);
  text-align: left; white-space: pre; overflow: hidden; text-overflow: ellipsis; max-width: 9em; }
.gptlib-live .gptlib-steps tr[aria-current=true] > * { font-weight: 700;
  box-shadow: inset 0 -2px ${COLOURS.ORANGE}; }
@container (max-width: 20em) {
  .gptlib-strips { grid-template-columns: 1fr; }
  .gptlib-live .gptlib-steps th, .gptlib-live .gptlib-steps td { padding: .05em .15em; }
  .gptlib-live .gptlib-steps th[scope=row] { max-width: 4.4em; }
}
`;
