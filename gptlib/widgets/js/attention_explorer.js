// Lesson 03's explorer: who looks at whom, in every head of a model, and how one number came to be.
//
// The pass is computed here. Asked of Python: queries, keys and values of a model that is too large
// for a browser, and what it says when a head's output is exchanged.

import { ARCS_CSS, arcs } from "./arcs.js";
import { frame, latest, needsKernel, onceAFrame, onWidth } from "./base.js";
import { button, line, tick } from "./controls.js";
import { make, put, say, set, two } from "./dom.js";
import { EXCHANGE_CSS, exchanged, exchangePanel } from "./exchange.js";
import { HEAD_GRID_CSS, headGrid } from "./head_grid.js";
import { HEAD_STEPS, HEAD_STEPS_CSS } from "./head_steps.js";
import { HEAT_CSS, heatTable, legend } from "./heat.js";
import { floats, loadModel, loadTokenizer } from "./kernel.js";
import { looksFrom, looksOf, spokenRow } from "./looks.js";
import { roving } from "./roving.js";
import { VECTOR_CSS } from "./vectors.js";

const PANELS = [...Object.keys(HEAD_STEPS), "exchange"];

const CSS = `
.gptlib-attention { display: flex; flex-flow: row wrap; gap: .4em 1.2em; align-items: flex-start;
  margin-top: .5em; }
.gptlib-attention > * { min-width: 0; max-width: 100%; }
.gptlib-table-side { flex: 0 1 auto; overflow-x: auto; }
.gptlib-panel-side { flex: 1 1 19em; container-type: inline-size; min-height: 22.5em; }
.gptlib-head-row { display: flex; flex-flow: row wrap; gap: .3em 1.2em; align-items: flex-end; }
.gptlib-head-row > * { max-width: 100%; }
.gptlib-head-row > :last-child { flex: 1 1 11em; }
.gptlib-panels { display: flex; flex-flow: row wrap; gap: .25em; margin: .3em 0; }
.gptlib-live .gptlib-panels button { padding: .1em .5em; }
.gptlib-frames { display: flex; flex-flow: row wrap; gap: .25em; max-width: 20em; margin-top: .3em; }
.gptlib-live .gptlib-frames button { padding: .1em .3em; }
`;

class Attention {
  constructor({ model, el }, gpt, tokenizer) {
    Object.assign(this, { model, gpt, tokenizer, seconds: new Map() });
    this.settings = model.get("settings"); // {layers, heads, most, masked, scaled}
    const css = [CSS, ARCS_CSS, HEAT_CSS, HEAD_GRID_CSS, HEAD_STEPS_CSS, EXCHANGE_CSS, VECTOR_CSS];
    this.frame = frame({ model, el, name: "Attention explorer", css: css.join("\n") });
    this.kernel = this.frame.kernel;
    for (const name of ["layer", "head", "panel"]) this[name] = model.get(name);
    this.focus = [...model.get("focus")];
    [this.query, this.key] = [model.get("query"), null];
    const [at, beside] = model.get("exchange");
    this.swap = { other: model.get("other"), at: at ?? null, beside: beside ?? null, on: false };
    this.build();
    this.repaint = onceAFrame(() => this.frame.run(() => this.paint()));
    this.refresh = latest(this.frame, () => this.read(), this.repaint);
    this.listen();
    this.refresh();
  }

  // ---- Controls and parts ----

  build() {
    const { frame: page, model, settings } = this;
    this.text = line({
      name: "sentence", value: model.get("text"),
      onInput: () => this.another(),
      onDone: (text) => Object.entries({ text, query: -1, focus: [] })
        .forEach(([trait, value]) => this.kernel.tell(trait, value)),
    });
    const box = (trait, name, hint) => tick({
      name, hint, value: model.get(trait),
      onInput: (on) => {
        this.kernel.tell(trait, on);
        this.refresh();
      },
    });
    this.ticks = {
      masked: box("masked", "mask", "hide the future"),
      scaled: box("scaled", "scale by 1/√d", "divide the scores by the root of the head's size"),
    };
    this.frameRow = button({
      name: "Frame this row", hint: "mark the row of the chosen word, or no longer",
      onClick: () => this.toggleFrame(),
    });
    page.row(this.text);
    page.row(this.ticks.masked, this.ticks.scaled, this.frameRow, legend(), make("span", {}, "crossed out: hidden"));
    this.arcs = arcs({ onPick: (place) => this.choose(place, null) });
    this.heads = headGrid({ ...settings, onChoose: (layer, head) => this.chooseHead(layer, head) });
    this.table = heatTable({ onChoose: (query, key, row) => this.choose(query, row ? null : key) });
    this.cell = make("div", { role: "status" });
    this.frames = make("div", { class: "gptlib-frames", role: "group", "aria-label": "framed rows" });
    this.tabs = PANELS.map((panel) =>
      make("button", { type: "button", on: { click: () => this.show(panel) } }, panel));
    const tabs = make("div", { class: "gptlib-panels", role: "group", "aria-label": "step by step" }, ...this.tabs);
    this.restTab = roving(tabs, { buttons: () => this.tabs });
    this.panelBox = make("div", {});
    this.exchange = exchangePanel({
      state: this.swap, name: (id) => this.tokenizer.tokenStr(id),
      onChange: (other) => {
        if (other) this.swap.beside = null;
        this.refresh();
      },
      onOther: (text) => this.kernel.tell("other", text),
    });
    page.picture.append(
      this.arcs.root,
      make("div", { class: "gptlib-attention" },
        make("div", { class: "gptlib-table-side" }, this.table.root, this.frames),
        make("div", { class: "gptlib-panel-side" },
          make("div", { class: "gptlib-head-row" }, this.heads.root, make("div", {}, this.cell, tabs)),
          this.panelBox),
      ),
    );
    this.stopWatching = onWidth(page.root, () => this.looks && this.repaint());
    if (!this.gpt) needsKernel(page, this.text, ...this.exchange.controls);
  }

  listen() {
    const { model } = this;
    model.on("change:text", () => {
      if (this.text.value === model.get("text")) return;
      this.text.value = model.get("text");
      this.another();
    });
    for (const trait of ["masked", "scaled"])
      model.on(`change:${trait}`, () => {
        this.ticks[trait].value = model.get(trait);
        this.refresh();
      });
    for (const trait of ["layer", "head", "query", "panel", "focus"])
      model.on(`change:${trait}`, () => {
        if (JSON.stringify(this[trait]) === JSON.stringify(model.get(trait))) return;
        this[trait] = model.get(trait);
        this.key = null;
        this.refresh();
      });
    model.on("change:other", () => {
      if (this.swap.other === model.get("other")) return;
      this.swap.other = this.exchange.other.value = model.get("other");
      this.refresh();
    });
  }

  // ---- What is chosen ----

  /** Another sentence: its last word looks, and nothing is framed. */
  another() {
    Object.assign(this, { query: -1, key: null, focus: [] });
    Object.assign(this.swap, { at: null, beside: null, on: false });
    this.refresh();
  }

  /**
   * A word that looks, and the one that it looks at: null is the one with the largest weight.
   *
   * While the exchange is in view, the head's output at this word is what is exchanged.
   */
  choose(query, key) {
    Object.assign(this, { query, key });
    this.kernel.tell("query", query);
    if (this.panel !== "exchange") return this.repaint();
    this.swap.at = query;
    this.refresh();
  }

  chooseHead(layer, head) {
    Object.assign(this, { layer, head });
    this.kernel.tell("layer", layer);
    this.kernel.tell("head", head);
    this.refresh();
  }

  show(panel) {
    this.panel = panel;
    this.kernel.tell("panel", panel);
    this.refresh();
  }

  toggleFrame() {
    const has = this.focus.includes(this.place);
    this.focus = has ? this.focus.filter((k) => k !== this.place) : [...this.focus, this.place];
    this.focus.sort((a, b) => a - b);
    this.kernel.tell("focus", this.focus);
    this.repaint();
  }

  /** The place of the word that looks. */
  get place() {
    const { T } = this.looks;
    return this.query < 0 ? Math.max(0, T + this.query) : Math.min(this.query, T - 1);
  }

  // ---- What is read ----

  idsOf(text) {
    const ids = this.tokenizer.encode(text, { allowSpecial: true });
    const { most } = this.settings;
    if (!ids.length) throw new Error("type some text");
    if (ids.length > most) throw new Error(`${ids.length} tokens are too many to show: ${most} at most`);
    return ids;
  }

  /** The pass of a sentence. */
  async lookAt(ids) {
    if (this.gpt) return looksOf(this.gpt.trace(ids));
    const { shape, buffers } = await this.kernel.ask("look", { ids });
    return looksFrom(buffers.map(floats), shape);
  }

  /** What the model says with a head's output exchanged, and without. */
  async exchangeNow() {
    const { layer, head, ids } = this;
    const second = this.swap.other.trim() ? this.idsOf(this.swap.other) : null;
    const clamp = (place, many, start) => Math.min(place ?? start, many - 1);
    this.swap.at = clamp(this.swap.at, ids.length, this.place);
    this.swap.beside = clamp(this.swap.beside, (second ?? ids).length, second ? this.swap.at : this.chosenKey);
    const { at, beside } = this.swap;
    const others = second && second.map((id) => this.tokenizer.tokenStr(id));
    if (this.gpt) return { others, said: exchanged(this.gpt, ids, second, { layer, head, at, beside }) };
    const asked = { ids, second, layer, head, at, beside };
    const { buffers } = await this.kernel.ask("exchange", asked);
    const logits = buffers.map(floats);
    const half = logits.length / 2;
    return { others, said: { before: logits.slice(0, half), after: logits.slice(half) } };
  }

  async read() {
    const ids = this.idsOf(this.text.value);
    const key = ids.join(" ");
    if (key !== this.shownKey) {
      const looks = await this.lookAt(ids);
      Object.assign(this, { looks, ids, shownKey: key, names: ids.map((id) => this.tokenizer.tokenStr(id)) });
    }
    this.looks.set({ masked: this.ticks.masked.value, scaled: this.ticks.scaled.value });
    const unknown = !this.gpt && this.kernel.gone; // said above the picture
    this.said = this.panel === "exchange" && !unknown ? await this.exchangeNow() : null;
  }

  // ---- What is shown ----

  get chosenKey() {
    const { looks, layer, head, place } = this;
    const key = this.key ?? looks.strongest(layer, head, place);
    return key < looks.T ? key : looks.strongest(layer, head, place);
  }

  paint() {
    if (!this.looks) return;
    const em = parseFloat(getComputedStyle(this.frame.root).fontSize); // read before anything changes
    const { looks, names, layer, head, place: query, chosenKey: key } = this;
    const focus = this.focus.filter((place) => place < looks.T);
    const weights = (h, t) => looks.row(layer, h, t).weights;
    const label = (place) =>
      `In layer ${layer}, head ${head}, ${spokenRow(names, place, weights(head, place), two)}.`;
    this.arcs.update({
      names, heads: looks.heads, head, query, weights, focus, label,
      hidden: (t, k) => looks.hidden(t, k),
    });
    if (this.tabled !== looks.rows) {
      this.heads.update(looks);
      this.tabled = looks.rows;
    }
    this.heads.choose({ layer, head, looks, names, query });
    const rows = names.map((_, t) => weights(head, t));
    this.table.update({
      names, rows, masked: looks.masked, query, key, focus, side: 15.1 * em, em,
      label: `Weights of layer ${layer}, head ${head}: a row looks, a column is looked at. ${label(query)} ` +
        "The arrow keys choose a cell.",
    });
    this.paintWords(rows, query, key, focus);
    this.paintPanel({ names, looks, layer, head, query, key });
  }

  paintWords(rows, query, key, focus) {
    const { names, looks } = this;
    const weight = looks.hidden(query, key) ? "hidden by the mask" : two(rows[query][key]);
    say(this.cell, `Head ${this.head} of layer ${this.layer}: ${names[query]} → ${names[key]} ${weight}`);
    this.frameRow.pressed = focus.includes(query);
    const told = focus.map((place) => {
      const most = looks.strongest(this.layer, this.head, place);
      return `${place} ${names[place]} → ${names[most]} ${two(rows[place][most])}`;
    });
    while (this.frames.children.length > told.length) this.frames.lastChild.remove();
    told.forEach((words, k) => {
      const made = () => make("button", { type: "button" });
      const node = this.frames.children[k] ?? this.frames.appendChild(made());
      node.onclick = () => this.choose(focus[k], null);
      say(node, words);
      set(node, { "aria-pressed": String(focus[k] === query) });
    });
  }

  paintPanel(view) {
    this.tabs.forEach((tab, k) => set(tab, { "aria-pressed": String(PANELS[k] === this.panel) }));
    this.restTab(PANELS.indexOf(this.panel));
    if (this.panel !== "exchange") return put(this.panelBox, ...HEAD_STEPS[this.panel](view));
    if (this.panelBox.firstChild !== this.exchange.root) put(this.panelBox, this.exchange.root);
    const { settings, said } = this;
    const changed = ["masked", "scaled"].some((trait) => view.looks[trait] !== settings[trait]);
    this.exchange.update({ ...view, others: said?.others ?? null, changed }, said?.said);
  }
}

export default {
  async render({ model, el }) {
    const [gpt, tokenizer] = await Promise.all([loadModel(model), loadTokenizer(model)]);
    const explorer = new Attention({ model, el }, gpt, tokenizer);
    return () => {
      explorer.stopWatching();
      explorer.frame.close();
    };
  },
};
