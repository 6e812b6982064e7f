// The stations of the machine: a small picture of each, and all that can be seen when it is opened.
//
// Both take the machine's view of the moment: {text, ids, trace, probs, logits, name(id), place,
// layer, drawn, ended, losses(), settings, choose(place), chooseLayer(layer)}.

import { bars, spoken } from "./bars.js";
import { chance, draw, make, put, style, two, whole } from "./dom.js";
import { ranking } from "./sampling.js";
import { strip as drawStrip } from "./strip.js";
import { COLOURS } from "./style.js";
import { few, gradient, reach, tint, vector } from "./vectors.js";

export const STATIONS = [
  "text", "tokenizer", "embeddings", "attention", "feedforward", "logits", "sampling",
];
const ROWS = 4; // tokens of a small picture: the last ones
const COLUMNS = 8; // tokens that a table of attention has room for

// ---- Small pictures, a line for each of the last tokens ----

const lines = (view, paint) =>
  lastPlaces(view, ROWS).map((place) => make("span", { class: "gptlib-small" }, paint(place)));

function lastPlaces({ ids }, count) {
  const from = Math.max(0, ids.length - count);
  return ids.slice(from).map((_, k) => from + k);
}

function strips(view, rows) {
  const places = lastPlaces(view, ROWS);
  const values = places.map(rows);
  const scale = reach(...values);
  return values.map((row) => {
    const colours = make("span", { class: "gptlib-vector" });
    style(colours, { "background-image": gradient(row, scale) });
    return make("span", { class: "gptlib-small" }, colours);
  });
}

export const SMALL = {
  text: ({ text }) => [make("span", { class: "gptlib-text" }, text.length > 46 ? `…${text.slice(-45)}` : text)],
  tokenizer: (view) =>
    lines(view, (place) => make("span", { class: "gptlib-box gptlib-code" }, view.name(view.ids[place]))),
  embeddings: (view) => strips(view, (place) => view.trace.row(view.trace.layers[0].x, place)),
  attention: (view) => [arcs(view)],
  feedforward: (view) => {
    const { hidden } = view.trace.layers[view.layer];
    return strips(view, (place) => view.trace.row(hidden, place, hidden.length / view.trace.T));
  },
  logits: (view) =>
    ranking(view.logits).slice(0, ROWS).map((id) => {
      const fill = `linear-gradient(to right, color-mix(in srgb, ${COLOURS.BLUE} 35%, transparent) ` +
        `${100 * view.probs[id]}%, transparent 0)`;
      const row = make("span", { class: "gptlib-small gptlib-code" }, view.name(id));
      return style(row, { "background-image": fill });
    }),
  sampling: ({ drawn, name }) => [
    drawn
      ? make("span", { class: "gptlib-box gptlib-code gptlib-drawn" }, name(drawn.id))
      : make("span", { class: "gptlib-faint" }, "one token, at random"),
  ],
};

/** What the small picture of a station is made of: while that is the same, so is the picture. */
export function needs(station, { text, trace, layer, drawn }) {
  if (station === "text") return [text];
  if (station === "attention" || station === "feedforward") return [trace, layer];
  return station === "sampling" ? [drawn?.id] : [trace];
}

/** Where the last token looks, its heads together: the wider the arc, the more. */
function arcs(view) {
  const places = lastPlaces(view, ROWS);
  const weights = view.trace.layers[view.layer].weights.map((head) => head[view.ids.length - 1]);
  const mean = (place) => weights.reduce((sum, row) => sum + row[place], 0) / weights.length;
  const y = (k) => 12 + 24 * k;
  const last = places.length - 1;
  const parts = places.slice(0, -1).map((place, k) =>
    draw("path", {
      d: `M20 ${y(k)} C${34 + 12 * (last - k)} ${y(k)} ${34 + 12 * (last - k)} ${y(last)} 20 ${y(last)}`,
      fill: "none", stroke: COLOURS.BLUE, "stroke-width": (0.5 + 9 * mean(place)).toFixed(2),
    }),
  );
  const dots = places.map((_, k) =>
    draw("circle", { cx: 20, cy: y(k), r: 6, fill: COLOURS.PAPER, stroke: COLOURS.BLUE, "stroke-width": 2 }),
  );
  // A row is 24 units high, and 1.5em, as those of the stations beside it.
  return draw("svg", { width: "5.625em", height: "6em", viewBox: "0 0 90 96" }, ...parts, ...dots);
}

// ---- What is seen of an opened station ----

const say = (...words) => make("p", { class: "gptlib-words" }, ...words);

/** What probabilities are of that come after the stop token. */
const another = ({ ended }) =>
  ended ? [say("The text ended with the stop token: this would begin another story.")] : [];

/** The tokens as buttons, to choose the one that is looked at. */
function tokens(view) {
  return make(
    "div", { class: "gptlib-tokens", role: "group", "aria-label": "the token that is looked at" },
    ...view.ids.map((id, place) =>
      make("button", {
        type: "button", class: "gptlib-box gptlib-code", "data-key": `token ${place}`,
        "aria-pressed": String(place === view.place), on: { click: () => view.choose(place) },
      }, view.name(id)),
    ),
  );
}

function layers(view) {
  const count = view.trace.layers.length;
  if (count < 2) return [];
  const buttons = Array.from({ length: count }, (_, l) =>
    make("button", {
      type: "button", "data-key": `layer ${l}`, "aria-pressed": String(l === view.layer),
      on: { click: () => view.chooseLayer(l) },
    }, `layer ${l}`),
  );
  return buttons;
}

function labelled(...pairs) {
  return make("div", { class: "gptlib-labelled" }, ...pairs.flat());
}

function table(caption, heads, rows) {
  const cells = (row, tag) => row.map((cell) => (cell instanceof Node ? cell : make(tag, {}, cell)));
  const seen = make(
    "div", { class: "gptlib-scrolls", tabindex: "0", role: "group", "aria-label": caption },
    make("table", { class: "gptlib-table" },
      make("caption", { class: "gptlib-unseen" }, caption),
      make("thead", {}, make("tr", {}, ...heads.map((head) => make("th", { scope: "col" }, head)))),
      make("tbody", {}, ...rows.map((row) => make("tr", {}, ...cells(row, "td")))),
    ),
  );
  return make("div", {}, say(caption), seen);
}

export const DETAIL = {
  text: ({ text }) => [
    say(`${whole([...text].length)} characters: `, make("span", { class: "gptlib-code" }, `“${text}”`)),
    say("A model cannot read letters. The next station cuts the text into tokens, each with a number."),
  ],

  tokenizer: (view) => [
    make("div", { class: "gptlib-tokens" }, ...view.ids.map((id) =>
      make("div", { class: "gptlib-token" },
        make("span", { class: "gptlib-box gptlib-code" }, view.name(id)), make("span", {}, id)))),
    say(`${view.ids.length} tokens, each with its id in a vocabulary of ${whole(view.logits.length)}. `,
      "The sign ␣ is a space: it belongs to the word after it."),
  ],

  embeddings: (view) => {
    const { trace, place } = view;
    const [token, position, sum] = [trace.wte, trace.wpe, trace.layers[0].x].map((a) => trace.row(a, place));
    const scale = reach(token, position, sum);
    const row = (name, values) => [make("span", {}, name), vector(values, scale, `${name}: ${few(values)}`)];
    return [
      tokens(view),
      labelled(row(`token “${view.name(view.ids[place])}”`, token), row(`position ${place}`, position),
        row("their sum", sum)),
      say(`${sum.length} numbers for each token; blue is above zero, orange below. The sum begins `,
        `${few(sum)}`),
    ];
  },

  attention: (view) => {
    const { trace, place, layer, ids } = view;
    const seen = ids.slice(0, place + 1).map((_, k) => k);
    const shown = seen.slice(-COLUMNS);
    const hidden = seen.length - shown.length;
    const heads = ["head", ...(hidden ? ["before"] : []), ...shown.map((k) => view.name(ids[k]))];
    const rows = trace.layers[layer].weights.map((head, h) => {
      const row = head[place];
      const before = row.slice(0, hidden).reduce((sum, w) => sum + w, 0);
      const cells = [...(hidden ? [before] : []), ...shown.map((k) => row[k])];
      return [make("th", { scope: "row" }, h), ...cells.map(weightCell)];
    });
    return [
      make("div", { class: "gptlib-row" }, tokens(view), ...layers(view)),
      table(`Where “${view.name(ids[place])}” looks in layer ${layer}: each head's weights sum to 1`, heads, rows),
    ];
  },

  feedforward: (view) => {
    const { trace, place, layer } = view;
    const { hidden, mlp } = trace.layers[layer];
    const wide = trace.row(hidden, place, hidden.length / trace.T);
    const added = trace.row(mlp, place);
    const on = wide.filter((x) => x > 0.1).length;
    const best = wide.indexOf(Math.max(...wide));
    return [
      make("div", { class: "gptlib-row" }, tokens(view), ...layers(view)),
      labelled(
        [make("span", {}, `${wide.length} hidden numbers`), vector(wide, reach(wide), `hidden numbers: ${few(wide)}`)],
        [make("span", {}, `what is added, ${added.length}`), vector(added, reach(added), `added: ${few(added)}`)],
      ),
      say(`Each token alone: “${view.name(view.ids[place])}” makes ${on} of ${wide.length} hidden numbers `,
        `larger than 0.1; the largest is number ${best}, ${two(wide[best])}.`),
    ];
  },

  logits: (view) => {
    const best = ranking(view.logits).slice(0, 6);
    const rest = best.reduce((left, id) => left - view.probs[id], 1);
    const rows = best.map((id) => ({ name: view.name(id), now: view.probs[id] }));
    rows.push({ name: `${whole(view.logits.length - best.length)} others`, now: Math.max(0, rest) });
    const picture = bars({ most: 7 });
    picture.update(rows, { columns: ["probability", null, null, null], label: spoken(rows) });
    const scores = best.slice(0, 3).map((id) => `${view.name(id)} ${two(view.logits[id])}`).join(", ");
    return [
      say(`One score (logit) for each of ${whole(view.logits.length)} tokens; the largest: ${scores}. `,
        "Softmax makes them probabilities:"),
      ...another(view),
      picture.root,
    ];
  },

  sampling: (view) => {
    const picture = drawStrip();
    picture.update(view.probs, view.name);
    const { drawn } = view;
    if (drawn) picture.drop(drawn.u, drawn.id, view.name(drawn.id));
    return [
      ...another(view),
      picture.root,
      say(drawn
        ? `The random number ${drawn.u.toFixed(3)} fell on “${view.name(drawn.id)}”, which has ` +
          `probability ${chance(drawn.p)}. It joins the text.`
        : "All probabilities, end to end. A random number will fall on one of them."),
    ];
  },

  training: (view) => {
    const { trace, ids, settings, losses } = view;
    const told = losses();
    const rows = told.map(({ place, p }) => [
      make("td", { class: "gptlib-code" }, view.name(ids[place])), chance(p), two(-Math.log(p)),
    ]);
    const mean = told.reduce((sum, { p }) => sum - Math.log(p), 0) / (told.length || 1);
    const parts = Object.entries(settings.parts).map(([name, count]) => `${name} ${whole(count)}`);
    return [
      say(`Training has adjusted all of these numbers: ${parts.join(", ")}.`),
      ...(told.length
        ? [table(`How surprised the model is by this text: on average ${two(mean)} nats a token`,
            ["next token", "probability", "−ln of it"], rows.slice(-6))]
        : [say(`With ${trace.T} token there is no next token to be surprised by.`)]),
    ];
  },
};

function weightCell(weight) {
  const cell = make("td", { class: "gptlib-weight" }, two(weight));
  return style(cell, { "background-color": tint(weight, 2) });
}

/** Put an opened station into `node`, and leave the focus where it was. */
export function open(node, station, view) {
  const key = document.activeElement?.dataset?.key;
  const inside = node.contains(document.activeElement);
  put(node, ...DETAIL[station](view));
  if (inside && key) [...node.querySelectorAll("[data-key]")].find((b) => b.dataset.key === key)?.focus();
}

export const STATIONS_CSS = `
.gptlib-small { display: flex; height: 1.5em; align-items: center; overflow: hidden; width: 100%; }
.gptlib-small .gptlib-box, .gptlib-drawn { border: 1px solid ${COLOURS.BLUE}; border-radius: 4px;
  padding: 0 .3em; overflow: hidden; text-overflow: ellipsis; max-width: 100%; line-height: 1.3; }
.gptlib-drawn { border: 2px solid ${COLOURS.ORANGE}; align-self: center; }
.gptlib-small .gptlib-vector { height: 1em; }
.gptlib-text { white-space: pre-wrap; overflow-wrap: anywhere; line-height: 1.25; }
.gptlib-words { margin: .4em 0; }
.gptlib-scrolls { overflow-x: auto; }
.gptlib-table { border-collapse: collapse; margin: .3em 0; }
.gptlib-live .gptlib-table th, .gptlib-live .gptlib-table td { padding: .1em .6em; text-align: right;
  border: 1px solid ${COLOURS.GRID}; font-size: 1em; white-space: pre; color: ${COLOURS.INK};
  max-width: none; }
.gptlib-live .gptlib-table th { font-family: var(--jp-code-font-family, monospace); font-weight: 400;
  background: none; }
`;
