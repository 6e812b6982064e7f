// Lesson 03's second explorer: attention in the plane, with queries and keys set by hand.

import { frame, onceAFrame, onWidth } from "./base.js";
import { button, number, tick } from "./controls.js";
import { make, rounded, say, set, style, two } from "./dom.js";
import { HEAT_CSS, clip, heatTable } from "./heat.js";
import { Looks, spokenRow } from "./looks.js";
import { PLANE_CSS, plane } from "./plane.js";
import { roving } from "./roving.js";
import { COLOURS } from "./style.js";

const REACH = 4;
const STEP = 0.5;
const NUMBERS = [["q 1", "q", 0], ["q 2", "q", 1], ["k 1", "k", 0], ["k 2", "k", 1]];

const CSS = `
.gptlib-hand { display: flex; flex-flow: row wrap; gap: .4em 1.4em; align-items: flex-start; }
.gptlib-hand > * { min-width: 0; max-width: 100%; }
.gptlib-hand > :last-child { flex: 1 1 22em; }
.gptlib-live .gptlib-hand-numbers input[type=range] { flex-basis: 6em; width: 6em; }
.gptlib-sums { display: grid; gap: .2em .9em; align-items: center; margin-bottom: .4em;
  grid-template-columns: minmax(0, 1fr) max-content max-content minmax(4.2em, 9em); }
.gptlib-sums > .gptlib-terms { display: flex; flex-flow: row wrap; gap: 0 .8em;
  justify-content: space-between; }
.gptlib-sums .gptlib-terms > .gptlib-code { min-width: 4em; }
.gptlib-hand-weight { position: relative; display: flex; align-items: center; gap: .4em; }
.gptlib-hand-weight > .gptlib-fill { flex: none; height: 1em; }
.gptlib-sums .gptlib-head { font-weight: 600; }
.gptlib-live .gptlib-hand-token { font-family: var(--jp-code-font-family, monospace); }
@container (max-width: 30em) {
  .gptlib-sums { grid-template-columns: minmax(0, 1fr) max-content max-content max-content;
    column-gap: .5em; }
  .gptlib-hand-weight > .gptlib-fill { display: none; }
}
`;

/** A factor as one writes it: a negative one in brackets. */
export function term(value) {
  const shown = String(Number(value.toFixed(2)) + 0);
  return shown.startsWith("-") ? `(−${shown.slice(1)})` : shown;
}

/** A vector as one writes it. */
function written(vector) {
  return `(${Array.from(vector, (x) => two(x).replace(/\.00$/, "")).join(", ")})`;
}

class ByHand {
  constructor({ model, el }) {
    this.model = model;
    this.settings = model.get("settings"); // {tokens, v}
    this.names = this.settings.tokens;
    for (const name of ["q", "k"]) this[name] = model.get(name).map((vector) => [...vector]);
    this.first = { q: structuredClone(this.q), k: structuredClone(this.k) };
    this.query = model.get("query");
    this.frame = frame({ model, el, name: "Attention by hand", css: CSS + HEAT_CSS + PLANE_CSS });
    this.kernel = this.frame.kernel;
    this.build();
    this.repaint = onceAFrame(() => this.frame.run(() => this.paint()));
    this.listen();
    this.fill();
  }

  build() {
    const { frame: page, model } = this;
    this.tokens = this.names.map((name, place) =>
      make("button", {
        type: "button", class: "gptlib-hand-token", title: `${place}: ${name}`,
        on: { click: () => this.choose(place) },
      }, clip(name, 16)));
    const group = make("div", { class: "gptlib-row", role: "group", "aria-label": "token that looks" }, ...this.tokens);
    this.rest = roving(group, { buttons: () => this.tokens });
    const box = (trait, name, hint) => tick({
      name, hint, value: model.get(trait),
      onInput: (on) => {
        this.kernel.tell(trait, on);
        this.repaint();
      },
    });
    this.ticks = {
      masked: box("masked", "mask", "hide the future"),
      scaled: box("scaled", "scale by 1/√d", "divide the scores by the root of 2"),
    };
    const reset = button({
      name: "Reset", hint: "everything as it was at first", onClick: () => this.reset(),
    });
    this.numbers = NUMBERS.map(([name, kind, c]) => number({
      name, value: 0, min: -REACH, max: REACH, step: STEP,
      onInput: (value) => {
        this[kind][this.query][c] = value;
        page.trouble("");
        this.repaint();
      },
      onDone: () => this.kernel.tell(kind, structuredClone(this[kind])),
      onWrong: (words) => page.trouble(words),
    }));
    page.row(make("span", {}, "token"), group, this.ticks.masked, this.ticks.scaled, reset);
    page.row(...this.numbers).classList.add("gptlib-hand-numbers");
    this.plane = plane({
      reach: REACH, step: STEP,
      onDrag: (arrow, to) => {
        if (arrow < this.names.length) this.k[arrow] = to;
        else this.q[this.query] = to;
        this.fill();
      },
      onDrop: () => ["q", "k"].forEach((kind) => this.kernel.tell(kind, structuredClone(this[kind]))),
    });
    this.title = make("div", {});
    this.sums = this.makeSums();
    this.output = make("div", { role: "status" });
    this.table = heatTable({ onChoose: (query) => this.choose(query) });
    const below = make("div", {}, "All weights: a row looks, a column is looked at");
    page.picture.append(this.title, make("div", { class: "gptlib-hand" },
      this.plane.root,
      make("div", {}, this.sums.root, this.output, below, this.table.root)));
    this.stopWatching = onWidth(page.picture, (width) => {
      this.plane.fit(width);
      this.repaint();
    });
  }

  makeSums() {
    const head = (words) => make("span", { class: "gptlib-head" }, words);
    const third = head("");
    const rows = this.names.map((name) => {
      const terms = make("span");
      const product = make("span", { class: "gptlib-right" });
      const score = make("span", { class: "gptlib-right" });
      const fill = make("span", { class: "gptlib-fill" });
      const share = make("span");
      return {
        terms, product, score, fill, share,
        cells: [
          make("span", { class: "gptlib-terms" }, make("span", { class: "gptlib-code" }, clip(name, 12)), terms),
          product, score, make("span", { class: "gptlib-hand-weight" }, fill, share),
        ],
      };
    });
    const root = make("div", { class: "gptlib-sums", role: "img" },
      head("key of"), head("q · k"), third, head("weight"), ...rows.flatMap(({ cells }) => cells));
    return { root, rows, third };
  }

  listen() {
    const { model } = this;
    for (const kind of ["q", "k"])
      model.on(`change:${kind}`, () => {
        if (JSON.stringify(this[kind]) === JSON.stringify(model.get(kind))) return;
        this[kind] = model.get(kind).map((vector) => [...vector]);
        this.fill();
      });
    for (const trait of ["masked", "scaled"])
      model.on(`change:${trait}`, () => {
        this.ticks[trait].value = model.get(trait);
        this.repaint();
      });
    model.on("change:query", () => {
      this.query = model.get("query");
      this.fill();
    });
  }

  choose(place) {
    this.query = place;
    this.kernel.tell("query", place);
    this.fill();
  }

  reset() {
    Object.assign(this, structuredClone(this.first));
    for (const kind of ["q", "k"]) this.kernel.tell(kind, structuredClone(this[kind]));
    for (const [trait, box] of Object.entries(this.ticks)) {
      box.value = true;
      this.kernel.tell(trait, true);
    }
    this.fill();
  }

  /** The boxes say the numbers of the token that is chosen. */
  fill() {
    this.frame.trouble("");
    NUMBERS.forEach(([, kind, c], k) => (this.numbers[k].value = this[kind][this.query][c]));
    this.repaint();
  }

  looks() {
    const looks = new Looks({
      part: (layer, kind, head, place) => (kind === "v" ? this.settings.v : this[kind])[place],
      layers: 1, heads: 1, T: this.names.length, size: 2,
    });
    looks.set({ masked: this.ticks.masked.value, scaled: this.ticks.scaled.value });
    return looks;
  }

  paint() {
    const em = parseFloat(getComputedStyle(this.frame.root).fontSize); // read before anything changes
    const { names, query } = this;
    const looks = this.looks();
    const rows = names.map((_, t) => looks.row(0, 0, t).weights.map(rounded));
    const words = spokenRow(names, query, rows[query], two);
    this.tokens.forEach((token, k) => set(token, { "aria-pressed": String(k === query) }));
    this.rest(query);
    say(this.title, `The query of ${names[query]}, thick, and the keys. Drag a tip, or use the sliders.`);
    const keys = this.k.map((to, place) => ({
      to, name: clip(names[place], 10), thick: 2, ink: COLOURS.BLUE, dashed: looks.hidden(query, place),
    }));
    const own = { to: this.q[query], thick: 4, ink: COLOURS.ORANGE };
    const list = this.k.map((key, place) => `key of ${names[place]} ${written(key)}`).join(", ");
    this.plane.update([...keys, own], `Arrows: query of ${names[query]} ${written(this.q[query])}, ${list}.`);
    this.paintSums(looks, words);
    this.table.update({
      names, rows, masked: looks.masked, query, key: looks.strongest(0, 0, query), side: 9 * em, em,
      label: `All weights. ${words}. The arrow keys choose a row.`,
    });
  }

  paintSums(looks, words) {
    const { names, query, sums } = this;
    const { products, scores, weights } = looks.row(0, 0, query);
    say(sums.third, looks.scaled ? "/ √2" : "score");
    sums.rows.forEach((row, key) => {
      const terms = this.q[query].map((a, c) => `${term(a)}·${term(this.k[key][c])}`).join(" + ");
      const share = rounded(weights[key]);
      say(row.terms, `${terms} =`);
      say(row.product, two(products[key]));
      say(row.score, two(scores[key]));
      say(row.share, looks.hidden(query, key) ? "hidden" : two(share));
      style(row.fill, { width: `${55 * share}%` });
    });
    set(sums.root, { "aria-label": `${words}.` });
    const { v } = this.settings;
    if (!v) return;
    const seen = names.map((_, key) => key).filter((key) => !looks.hidden(query, key));
    const parts = seen.map((key) => `${two(weights[key])}·${written(v[key])}`).join(" + ");
    say(this.output, `Output of ${names[query]}, the values mixed: ${parts} = ${written(looks.output(0, 0, query))}`);
  }
}

export default {
  render({ model, el }) {
    const byHand = new ByHand({ model, el });
    return () => {
      byHand.stopWatching();
      byHand.frame.close();
    };
  },
};
