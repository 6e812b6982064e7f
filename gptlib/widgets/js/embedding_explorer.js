// Lesson 02's explorer: words as points, the nearest of one, and how both were learned.
//
// A page is given where the words of the map lie at every step, and what is near to them. In a
// vocabulary too large for that, Python is asked for the neighbours of a word.

import { frame, needsKernel, onceAFrame, player } from "./base.js";
import { button, line, picker, tick } from "./controls.js";
import { make, say, set, style, two, whole } from "./dom.js";
import { floats } from "./kernel.js";
import { COLOURS } from "./style.js";
import { wordMap } from "./word_map.js";

const { GRID } = COLOURS;
const PACE = 0.8; // seconds from one step of training to the next
const NEAR = 8; // neighbours

const CSS = `
.gptlib-embeddings { display: flex; flex-flow: row wrap; gap: .3em 1.2em; }
.gptlib-embeddings > .gptlib-word-map { flex: 3 1 20em; }
.gptlib-embeddings > .gptlib-nearest { flex: 1 1 14em; min-width: 0; }
.gptlib-nearest { display: grid; grid-template-columns: minmax(5em, 8.5em) 1fr 3em;
  gap: .2em .5em; align-content: start; align-items: center; }
.gptlib-live .gptlib-nearest > button { min-height: 1.6em; padding: 0 .3em; text-align: left;
  overflow: hidden; text-overflow: ellipsis; white-space: pre;
  font-family: var(--jp-code-font-family, monospace); }
.gptlib-nearest > .gptlib-title { grid-column: 1 / -1; font-weight: 600; }
.gptlib-nearest > .gptlib-value { text-align: right; }
.gptlib-nearest .gptlib-track { background: none; border: 1px solid ${GRID}; height: 1em; }
.gptlib-nearest .gptlib-fill { top: 0; height: 100%; }
`;

/** int32 that came as a buffer. */
const integers = (view) =>
  new Int32Array(view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength));

class EmbeddingExplorer {
  constructor({ model, el }) {
    this.model = model;
    this.settings = model.get("settings");
    this.steps = this.settings.steps;
    this.frame = frame({ model, el, name: "Embedding explorer", css: CSS });
    this.kernel = this.frame.kernel;
    this.names = new Map(); // place -> its word
    this.points = new Map(); // place -> [[x, y] at each step]
    this.near = new Map(); // place -> [[[place, cosine], ...] at each step]
    this.place = null; // of the chosen word
    this.asked = 0; // words looked for or chosen: the last one counts
    this.unpack();
    this.build();
    this.repaint = onceAFrame(() => this.frame.run(() => this.paint()));
    this.listen();
    this.frame.run(() => this.find(this.word.value));
  }

  /** Read what came with the widget. */
  unpack() {
    const { words, whole: all } = this.settings;
    const points = floats(this.model.get("points"));
    const at = (s, k) => [0, 1].map((axis) => points[2 * (s * words.length + k) + axis]);
    words.forEach((word, k) => {
      this.names.set(k, word);
      this.points.set(k, this.steps.map((_, s) => at(s, k)));
    });
    if (!all) return;
    const places = integers(this.model.get("near_places"));
    const cosines = floats(this.model.get("near_cosines"));
    const count = places.length / (this.steps.length * words.length);
    words.forEach((_, k) => {
      const from = (s) => count * (s * words.length + k);
      const listed = (s) =>
        Array.from({ length: count }, (_, n) => [places[from(s) + n], cosines[from(s) + n]]);
      this.near.set(k, this.steps.map((_, s) => listed(s)));
    });
  }

  build() {
    const { frame: page, model } = this;
    this.word = line({
      name: "word", value: model.get("word"), onDone: (typed) => page.run(() => this.find(typed)),
    });
    this.word.input.addEventListener("keydown", (event) => {
      if (event.key === "Enter") page.run(() => this.find(this.word.value));
    });
    this.step = picker({
      name: "step", options: this.steps.map(whole), value: model.get("step"),
      onInput: () => {
        this.player.stop();
        this.repaint();
      },
      onDone: (value) => this.kernel.tell("step", value),
    });
    this.play = button({
      name: "Play", hint: "through the steps of training",
      onClick: () => page.run(() => this.toggle()),
    });
    this.player = player({
      step: () => this.goOn(),
      seconds: () => PACE,
      onChange: (playing) => (this.play.name = playing ? "Pause" : "Play"),
    });
    this.arrows = tick({
      name: "arrows", hint: "from the first to the second word of each pair",
      onInput: () => this.repaint(),
    });
    const many = this.steps.length > 1;
    page.row(this.word, ...(many ? [this.step, this.play] : []),
      ...(this.settings.pairs.length ? [this.arrows] : []));
    this.map = wordMap({ onPick: (place) => page.run(() => this.choose(place)) });
    this.list = this.nearest();
    this.note = make("div", { class: "gptlib-faint" }, this.settings.note);
    this.said = make("div", { role: "status" });
    const both = make("div", { class: "gptlib-embeddings" }, this.map.root, this.list.root);
    page.picture.append(both, this.said, this.note);
    if (!this.settings.whole) needsKernel(page, this.word);
  }

  /** The list of neighbours: each can be pressed, to go there. */
  nearest() {
    const title = make("div", { class: "gptlib-title" });
    const root = make("div", { class: "gptlib-nearest", role: "group" }, title);
    const rows = Array.from({ length: NEAR }, () => {
      const row = { place: null };
      row.name = make("button", {
        type: "button", on: { click: () => this.frame.run(() => this.choose(row.place)) },
      });
      row.fill = make("div", { class: "gptlib-fill gptlib-moves" });
      row.track = make("div", { class: "gptlib-track", "aria-hidden": "true" }, row.fill);
      row.value = make("span", { class: "gptlib-value" });
      root.append(row.name, row.track, row.value);
      return row;
    });
    return { root, title, rows };
  }

  listen() {
    this.model.on("change:word", () => {
      const word = this.model.get("word");
      if (word === this.word.value) return;
      this.word.value = word;
      this.frame.run(() => this.find(word));
    });
    this.model.on("change:step", () => {
      if (this.step.value === this.model.get("step")) return;
      this.step.value = this.model.get("step");
      this.repaint();
    });
    this.kernel.watch(() => this.repaint()); // some words in the list are known to it alone
  }

  // ---- What is chosen ----

  /** Look for a typed word: here, or by the tokenizer in the kernel. */
  async find(typed) {
    const forms = [typed, typed.replaceAll(" ", "␣"), `␣${typed.trim()}`, typed.trim()];
    const here = [...this.names].filter(([place]) => this.near.has(place));
    for (const form of forms)
      for (const [place, name] of here) if (form && name === form) return this.choose(place);
    const asked = ++this.asked;
    if (this.settings.whole) {
      this.player.stop(); // the picture is of another word than the box
      const some = this.settings.words.slice(0, 5).map((word) => `“${word}”`).join(", ");
      const size = whole(this.settings.size);
      throw new Error(`“${typed}” is not one of the ${size} tokens, such as ${some}`);
    }
    const answer = this.frame.waitFor(this.kernel.ask("find", { word: typed }));
    const found = await answer.catch((error) => {
      if (asked !== this.asked) return null;
      this.player.stop();
      throw error;
    });
    if (asked !== this.asked) return null; // something else was chosen meanwhile
    found.places.forEach((place, k) => {
      this.names.set(place, found.names[k]);
      this.points.set(place, found.points.map((step) => step[k]));
    });
    this.near.set(found.place, found.near);
    return this.choose(found.place);
  }

  async choose(place) {
    if (!this.near.has(place)) return this.find(this.names.get(place));
    this.asked++;
    this.place = place;
    this.word.value = this.names.get(place);
    this.kernel.tell("word", this.word.value);
    this.frame.trouble("");
    this.repaint();
  }

  /** One step of Play; whether there is more. */
  goOn() {
    const last = this.steps.length - 1;
    this.step.value = this.fromStart ? 0 : Math.min(this.step.value + 1, last);
    this.fromStart = false;
    this.kernel.tell("step", this.step.value);
    this.repaint();
    return this.step.value < last;
  }

  toggle() {
    if (this.player.playing) return this.player.stop();
    this.fromStart = this.step.value === this.steps.length - 1;
    this.player.start();
  }

  // ---- What is shown ----

  paint() {
    if (this.place === null) return;
    const s = this.step.value;
    const near = this.near.get(this.place)[s];
    const name = this.names.get(this.place);
    const at = this.steps.length > 1 ? ` after ${whole(this.steps[s])} steps` : "";
    const listed = near.map(([place, cosine]) => `“${this.names.get(place)}” ${two(cosine)}`);
    const label = `Nearest to “${name}”${at}: ${listed.join(", ")}.`;
    say(this.list.title, `Nearest to “${name}”${at}, by cosine`);
    set(this.list.root, { "aria-label": label });
    this.list.rows.forEach((row, k) => {
      const [place, cosine] = near[k] ?? [null, 0];
      row.place = place;
      row.name.disabled = this.kernel.gone && !this.near.has(place);
      for (const node of [row.name, row.track, row.value]) node.hidden = place === null;
      say(row.name, place === null ? "" : this.names.get(place));
      say(row.value, two(cosine));
      style(row.fill, { width: `${100 * Math.max(0, Math.min(1, cosine))}%` });
    });
    this.paintMap(s, near, label);
    say(this.said, this.arrows.value ? this.aboutArrows(s) : "");
  }

  paintMap(s, near, label) {
    const { count, box, pairs } = this.settings;
    const arrows = this.arrows.value ? pairs : [];
    const close = near.map(([place]) => place);
    const first = [this.place, ...arrows.flat(), ...close];
    const places = [...new Set([...first, ...Array(count).keys()])];
    const spots = places.map((place) => ({
      key: place, name: this.names.get(place), at: this.points.get(place)[s],
      chosen: place === this.place, near: close.includes(place), important: first.includes(place),
    }));
    const path = this.points.get(this.place).slice(0, s + 1);
    const all = [...spots.map(({ at }) => at), ...path];
    const reach = (axis, least, value) => least(value, ...all.map((point) => point[axis]));
    this.map.update({
      box: [
        reach(0, Math.min, box[0]), reach(1, Math.min, box[1]),
        reach(0, Math.max, box[2]), reach(1, Math.max, box[3]),
      ],
      spots, label: `Map of ${places.length} words. ${label}`,
      trail: path.length > 1 ? path : [],
      arrows: arrows.map((pair) => pair.map((place) => this.points.get(place)[s])),
    });
  }

  /** How alike the arrows are in all dimensions, and where one leads from another word. */
  aboutArrows(s) {
    const { pairs, arrows } = this.settings;
    const { alike, sums } = arrows[s];
    const name = (place) => `“${this.names.get(place)}”`;
    const [from, to] = pairs[0];
    const k = Math.max(1, pairs.findIndex(([left]) => left === this.place));
    const end = sums[k - 1];
    const alone = `On average, the cosine between two of the arrows is ${two(alike)}.`;
    if (!end) return alone;
    const sum = `${name(to)} − ${name(from)} + ${name(pairs[k][0])}`;
    return `${alone} ${sum} is nearest to “${end[1]}” (${two(end[2])}).`;
  }
}

export default {
  async render({ model, el }) {
    const explorer = new EmbeddingExplorer({ model, el });
    return () => {
      explorer.player.stop();
      explorer.frame.close();
    };
  },
};
