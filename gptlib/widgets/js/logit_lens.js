// Lesson 05's second explorer: the head read after the embeddings and after each block.
//
// The best words of each place and depth in a table, and for one place the bars of all depths, one
// after the other. A model too large for a browser is read in Python (gptlib/widgets/lens.py),
// which gives the same: {tokens, cells, rises}.

import { frame, latest, needsKernel, onceAFrame, player } from "./base.js";
import { bars, spoken } from "./bars.js";
import { button, line, number, picker } from "./controls.js";
import { chance, make, put, rounded, say, set, style } from "./dom.js";
import { loadModel, loadTokenizer } from "./kernel.js";
import { softmax } from "./sampling.js";
import { COLOURS } from "./style.js";

const ROWS = 6; // words of the bars; the token that does come next has one more
const LAST = 4; // of them that the last depth chooses; each of the others may choose two
const PACE = 1.4; // seconds for a depth

/** The ids of the largest of some numbers, the largest first; of equal ones the smaller id first. */
export function largest(values, count) {
  const found = [];
  values.forEach((value, id) => {
    if (found.length === count && value <= values[found.at(-1)]) return;
    let place = found.length;
    while (place && values[found[place - 1]] < value) place--;
    found.splice(place, 0, id);
    if (found.length > count) found.pop();
  });
  return found;
}

/** What every depth would say next at every place; probs: [depth][place] -> (V,). */
export function lens(probs, ids, most, name) {
  const word = (depth, place, id) => ({ name: name(id), p: depth[place][id], comes: id === ids[place + 1] });
  const best = probs.map((depth) => ids.map((_, place) => largest(depth[place], most)));
  const cells = probs.map((depth, k) =>
    ids.map((_, place) => best[k][place].map((id) => word(depth, place, id))));
  const rises = ids.map((_, place) => {
    const shown = [];
    [...best].reverse().forEach((depth, before) => {
      for (const id of depth[place].slice(0, before ? 2 : LAST))
        if (shown.length < ROWS && !shown.includes(id)) shown.push(id);
    });
    if (place + 1 < ids.length && !shown.includes(ids[place + 1])) shown.push(ids[place + 1]);
    const last = probs.at(-1)[place];
    shown.sort((a, b) => last[b] - last[a] || a - b);
    return shown.map((id) => ({
      name: name(id), comes: id === ids[place + 1], ps: probs.map((depth) => depth[place][id]),
    }));
  });
  return { tokens: ids.map(name), cells, rises };
}

class Lens {
  constructor({ model, el }, gpt, tokenizer) {
    Object.assign(this, { model, gpt, tokenizer });
    this.settings = model.get("settings"); // {most, longest, layers}
    this.frame = frame({ model, el, name: "Logit lens", css: CSS });
    this.place = null; // of the token whose bars are shown; null: the last
    const { layers } = this.settings;
    this.depths = ["embeddings", ...Array.from({ length: layers }, (_, k) => `after block ${k + 1}`)];
    this.build();
    this.repaint = onceAFrame(() => this.frame.run(() => this.paint()));
    const read = async () => (this.seen = await this.look(this.text.value));
    this.refresh = latest(this.frame, read, () => this.layout());
    this.listen();
    this.refresh();
  }

  build() {
    const { frame: page, model } = this;
    this.text = line({
      name: "text", value: model.get("text"),
      onInput: () => this.reread(), onDone: (text) => page.kernel.tell("text", text),
    });
    this.count = number({
      name: "words", value: model.get("words"), min: 1, max: this.settings.most,
      onInput: () => this.recount(), onDone: (count) => page.kernel.tell("words", count),
      onWrong: (words) => page.trouble(words),
    });
    this.depth = picker({
      name: "depth", options: this.depths, value: this.depths.length - 1,
      onInput: () => {
        this.player.stop();
        this.repaint();
      },
    });
    this.play = button({
      name: "Play", hint: "the bars after the embeddings, then after each block",
      onClick: () => this.toggle(),
    });
    page.row(this.text, this.count);
    page.row(this.play, this.depth);
    this.table = make("div", {
      class: "gptlib-lens-table", role: "region", tabindex: "0", on: { keydown: (event) => this.move(event) },
    });
    this.title = make("div", { role: "status" });
    this.bars = bars({ most: ROWS + 2 });
    this.bars.root.classList.add("gptlib-racing");
    const beside = make("div", { class: "gptlib-lens-bars" }, this.title, this.bars.root);
    page.picture.append(make("div", { class: "gptlib-lens" }, this.table, beside));
    this.player = player({
      step: () => this.rise(), seconds: () => PACE,
      onChange: (playing) => (this.play.name = playing ? "Pause" : "Play"),
    });
    this.sizes = new ResizeObserver(() => this.seen && this.show(this.cellNow));
    if (!this.gpt) needsKernel(page, this.text);
  }

  listen() {
    for (const [trait, control] of Object.entries({ text: this.text, words: this.count }))
      this.model.on(`change:${trait}`, () => {
        if (control.value === this.model.get(trait)) return;
        control.value = this.model.get(trait);
        if (trait === "text") this.reread();
        else this.recount();
      });
  }

  // ---- What the model says ----

  async look(text) {
    if (!this.gpt) return this.frame.waitFor(this.frame.kernel.ask("lens", { text }));
    const ids = this.tokenizer.encode(text, { allowSpecial: true });
    const { longest, most } = this.settings;
    if (!ids.length) throw new Error("type some text");
    if (ids.length > longest)
      throw new Error(`${ids.length} tokens are too many to show: ${longest} at most`);
    const trace = this.gpt.trace(ids);
    const probs = this.depths.map((_, depth) => ids.map((_, t) => softmax(trace.logitsAt(depth, t))));
    return lens(probs, ids, most, (id) => this.tokenizer.tokenStr(id));
  }

  /** Another text: its last token is chosen, and read to the end. */
  reread() {
    this.player.stop();
    this.place = null;
    return this.refresh();
  }

  // ---- What moves ----

  get chosen() {
    const last = this.seen.tokens.length - 1;
    return Math.min(this.place ?? last, last);
  }

  get cellNow() {
    return this.buttons[this.chosen][this.depth.value];
  }

  choose(place, depth) {
    this.player.stop();
    this.place = place;
    this.depth.value = depth;
    this.paint();
  }

  toggle() {
    if (this.player.playing || !this.seen) return this.player.stop();
    if (this.depth.value === this.depths.length - 1) this.depth.value = -1; // from the beginning
    this.rising = this.depth.value;
    this.player.start();
  }

  rise() {
    this.rising++;
    this.depth.value = this.rising;
    this.paint();
    return this.rising < this.depths.length - 1;
  }

  /** The arrows move from cell to cell. */
  move(event) {
    const by = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
    if (!by || event.target === this.table) return;
    event.preventDefault();
    const place = Math.max(0, Math.min(this.seen.tokens.length - 1, this.chosen + by[0]));
    const depth = Math.max(0, Math.min(this.depths.length - 1, this.depth.value + by[1]));
    this.choose(place, depth);
    this.buttons[place][depth].focus();
  }

  // ---- What is shown ----

  /** The table of a text, with all words that its cells may show. */
  layout() {
    if (!this.seen) return;
    const { tokens, cells } = this.seen;
    const inside = this.table.contains(document.activeElement) && document.activeElement !== this.table;
    this.buttons = tokens.map((token, place) =>
      cells.map((depth, k) => this.cell(depth[place], place, k)));
    const head = ["token", ...this.depths].map((name) => make("th", { scope: "col" }, name));
    const rows = this.buttons.map((row, place) =>
      make("tr", {}, make("th", { scope: "row", title: tokens[place] }, tokens[place]),
        ...row.map((cell) => make("td", {}, cell))));
    const table = make("table", {},
      make("caption", {}, "What each depth would say next; ✓ is what does come next"),
      make("thead", {}, make("tr", {}, ...head)), make("tbody", {}, ...rows));
    put(this.table, table);
    this.sizes.disconnect();
    for (const node of [this.table, table]) this.sizes.observe(node);
    this.at = this.cellNow; // brought into sight as soon as the table has a size
    this.recount();
    if (inside) this.cellNow.focus();
  }

  /** As many words in each cell as are wanted; the others wait in the page. */
  recount() {
    if (!this.seen) return;
    const { tokens, cells } = this.seen;
    const said = ({ name, p, comes }) => `${name} ${chance(p)}${comes ? ", comes next" : ""}`;
    this.buttons.forEach((row, place) => row.forEach((cell, depth) => {
      [...cell.children].forEach((word, k) => (word.hidden = k >= this.count.value));
      const listed = cells[depth][place].slice(0, this.count.value).map(said);
      set(cell, { "aria-label": `${tokens[place]}, ${this.depths[depth]}: ${listed.join("; ")}` });
    }));
    this.frame.trouble("");
    this.paint();
  }

  cell(words, place, depth) {
    return make(
      "button",
      {
        type: "button", class: "gptlib-lens-cell", tabindex: "-1",
        on: { click: () => this.choose(place, depth) },
      },
      ...words.map(({ name, p, comes }) => {
        const row = make("span", { class: `gptlib-lens-word${comes ? " gptlib-comes" : ""}` },
          make("span", { class: "gptlib-code", title: name }, name),
          make("span", {}, comes ? "✓" : ""), make("span", {}, chance(p)));
        return style(row, { "--p": `${100 * rounded(p)}%` });
      }),
    );
  }

  paint() {
    if (!this.seen) return;
    const { tokens, rises } = this.seen;
    const [place, depth] = [this.chosen, this.depth.value];
    if (this.at !== this.cellNow) this.show((this.at = this.cellNow)); // it reads: nothing has changed yet
    this.buttons.forEach((row, k) => row.forEach((cell, d) => {
      const on = k === place && d === depth;
      set(cell, { "aria-pressed": String(on), tabindex: on ? "0" : "-1" });
    }));
    const end = this.depths.length - 1;
    const rows = rises[place].map(({ name, comes, ps }) => ({
      name: comes ? `${name} ✓` : name, now: ps[depth], beside: ps[end],
    }));
    const left = (d) => Math.max(0, rises[place].reduce((sum, { ps }) => sum - ps[d], 1));
    rows.push({ name: "all others", now: left(depth), beside: left(end) });
    const where = depth ? this.depths[depth] : "right after the embeddings";
    const title = `Read at ${tokens[place]}, ${where}:`;
    say(this.title, title);
    this.bars.update(rows, {
      columns: ["here", "the end", null, null],
      label: `${title} ${spoken(rows)}`,
    });
    set(this.table, { "aria-label": `Table of the logit lens. ${this.said()}` });
  }

  /** Bring a cell into sight within its table alone: the page does not jump. */
  show(cell) {
    const box = this.table.getBoundingClientRect();
    const at = cell.getBoundingClientRect();
    const side = this.table.querySelector("tbody th").offsetWidth;
    const head = this.table.querySelector("thead").offsetHeight;
    if (at.left < box.left + side) this.table.scrollLeft += at.left - box.left - side;
    if (at.right > box.right) this.table.scrollLeft += at.right - box.right;
    if (at.top < box.top + head) this.table.scrollTop += at.top - box.top - head;
    if (at.bottom > box.bottom) this.table.scrollTop += at.bottom - box.bottom;
  }

  said() {
    const { tokens, cells } = this.seen;
    const listed = cells.map((depth, k) => {
      const words = depth.at(-1).slice(0, this.count.value).map(({ name, p }) => `${name} ${chance(p)}`);
      return `after ${k ? `block ${k}` : "the embeddings"} ${words.join(", ")}`;
    });
    const last = `the last of ${tokens.length} tokens`;
    return `Best next words at ${tokens.at(-1)}, ${last}: ${listed.join("; ")}.`;
  }
}

const CSS = `
.gptlib-lens { display: flex; flex-flow: row wrap; gap: .6em 1.2em; align-items: flex-start; }
.gptlib-lens-table { flex: 1 1 30em; min-width: 0; max-width: 100%; max-height: 17.5em; overflow: auto; }
.gptlib-lens-bars { flex: 1 1 20.5em; min-width: 0; }
.gptlib-lens-bars .gptlib-bars { grid-template-columns: 6.6em minmax(3em, 1fr)
  repeat(var(--columns), minmax(2.7em, max-content)); }
.gptlib-lens table { border-collapse: separate; border-spacing: 0; margin: 0; font-size: 1em; width: 100%;
  table-layout: auto; color: ${COLOURS.INK}; }
.gptlib-lens caption { text-align: left; padding: 0 0 .2em; color: ${COLOURS.INK}; caption-side: top; }
.gptlib-live .gptlib-lens th, .gptlib-live .gptlib-lens td { border: 1px solid ${COLOURS.GRID}; padding: 0;
  font-size: 1em; text-align: left; background: ${COLOURS.PAPER}; max-width: none; white-space: nowrap;
  vertical-align: middle; }
.gptlib-live .gptlib-lens th { padding: .1em .4em; font-weight: 400; }
.gptlib-live .gptlib-lens thead th { position: sticky; top: 0; z-index: 2; }
.gptlib-live .gptlib-lens thead th:first-child { left: 0; z-index: 3; }
.gptlib-live .gptlib-lens tbody th { position: sticky; left: 0; z-index: 1; max-width: 6em; white-space: pre;
  overflow: hidden; text-overflow: ellipsis; font-family: var(--jp-code-font-family, monospace); }
.gptlib-live .gptlib-lens-cell { display: block; width: 100%; min-width: 8.2em; padding: .1em .2em; border: none;
  border-radius: 0; background: ${COLOURS.PAPER}; text-align: left; }
.gptlib-live .gptlib-lens-cell:focus-visible { outline-offset: -2px; }
.gptlib-live .gptlib-lens-cell[aria-pressed=true] { box-shadow: inset 0 0 0 3px ${COLOURS.ORANGE}; font-weight: 400; }
.gptlib-lens-word { display: grid; grid-template-columns: minmax(0, 1fr) 1em 2.9em; padding: 0 .3em; margin: .1em 0;
  background: linear-gradient(color-mix(in srgb, ${COLOURS.BLUE} 25%, transparent) 0 0) 0 0 / var(--p) 100% no-repeat; }
.gptlib-lens-word[hidden] { display: none; }
.gptlib-lens-word > :first-child { overflow: hidden; text-overflow: ellipsis; max-width: 9em; }
.gptlib-lens-word > :last-child { text-align: right; }
.gptlib-lens-word.gptlib-comes { font-weight: 700; }
@container (max-width: 36em) { .gptlib-lens-table { max-height: 14.5em; }
  .gptlib-live .gptlib-lens tbody th { max-width: 4em; } }
@media (forced-colors: active) { .gptlib-lens-cell[aria-pressed=true] { outline: 3px solid Highlight;
  outline-offset: -3px; } }
`;

export default {
  async render({ model, el }) {
    const [gpt, tokenizer] = await Promise.all([loadModel(model), loadTokenizer(model)]);
    const lens = new Lens({ model, el }, gpt, tokenizer);
    return () => {
      lens.player.stop();
      lens.sizes.disconnect();
      lens.frame.close();
    };
  },
};
