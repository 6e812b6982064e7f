// Lesson 05's first explorer: a handful of logits, e to each, and each power's share of their sum.
// The numbers are those of gptlib/widgets/logits.py; tests/widgets/test_js_logits.py holds them equal.

import { frame, onceAFrame, player } from "./base.js";
import { button, number } from "./controls.js";
import { chance, make, rounded, say, set, style, two } from "./dom.js";
import { COLOURS } from "./style.js";

const COLUMNS = ["logit", "exp", "normalised"];
const BELOW = ["below or above 0", "e to that: above 0", "exp / sum: 0 to 1"];
const STAGES = [
  "The logits: any numbers at all. They are not probabilities yet.",
  "e to each logit: larger logits give larger numbers, and none is below 0.",
  "The sum of these powers.",
  "Each power divided by the sum: the shares add up to 1. These are the probabilities.",
];
const PACE = 1.8; // seconds for a stage, so that its sentence can be read
const REACH = 5; // logits to either side of 0 that always fit
const SUPERSCRIPT = Object.fromEntries([..."-0123456789"].map((sign, k) => [sign, "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"[k]]));

/** {scaled, powers, shares}: (logit + c) / temperature, e to that, and its share of the sum. */
export function softmaxColumns(logits, c, temperature) {
  const scaled = logits.map((logit) => (logit + c) / temperature);
  const largest = Math.max(...scaled);
  const lowered = scaled.map((z) => Math.exp(z - largest)); // e^z itself may be beyond all numbers
  const sum = lowered.reduce((a, b) => a + b, 0);
  return { scaled, powers: scaled.map(Math.exp), shares: lowered.map((power) => power / sum) };
}

/** A power of e in three digits, with a power of ten where it is far from 1. */
export function short(value) {
  if (value === 0 || value === Infinity) return value ? "∞" : "0"; // beyond a computer's numbers
  if (value >= 0.01 && value < 10_000)
    return value < 999.5 ? String(Number(value.toPrecision(3))) : value.toFixed(0);
  const [digits, power] = value.toExponential(1).split("e");
  return `${digits}·10${[...power.replace("+", "")].map((sign) => SUPERSCRIPT[sign]).join("")}`;
}

function titles(c, temperature) {
  const moved = c ? `logit ${c > 0 ? "+" : "−"} ${Math.abs(c)}` : "logit";
  const divided = c ? `(${moved}) / ${temperature}` : `${moved} / ${temperature}`;
  return [temperature === 1 ? moved : divided, ...COLUMNS.slice(1)];
}

function whatCDoes(shift) {
  if (!shift) return "Before you move + c: which of the three columns will change?";
  const factor = short(Math.exp(shift));
  return `Each exp is ${factor} times what it was, and so is their sum: no share of it changes.`;
}

class Softmax {
  constructor({ model, el }) {
    this.model = model;
    this.settings = model.get("settings"); // {names, ranges, start, temperature}
    this.frame = frame({ model, el, name: "Softmax explorer", css: CSS });
    this.stage = STAGES.length - 1; // all is shown
    this.build();
    this.repaint = onceAFrame(() => this.paint());
    this.listen();
    this.paint();
  }

  build() {
    const { frame: page, model, settings } = this;
    const own = (more) =>
      number({
        onInput: () => this.follow(), onDone: () => this.tell(),
        onWrong: (words) => page.trouble(words), ...more,
      });
    this.c = own({ name: "+ c", value: model.get("c"), min: -10, max: 10, step: 0.5 });
    this.temperature = own({
      name: "temperature", value: model.get("temperature"), min: 0.1, max: 5, step: 0.1,
    });
    const add = button({ name: "Add 1 to all", hint: "1 more for c, so for every logit", onClick: () => this.add() });
    const reset = button({ name: "Reset", hint: "everything as it was at first", onClick: () => this.reset() });
    this.steps = button({
      name: "Show the steps", hint: "the columns one after the other", onClick: () => this.play(),
    });
    page.row(this.c, add, ...(settings.temperature ? [this.temperature] : []), reset, this.steps);
    const values = model.get("values");
    this.rows = settings.names.map((name, k) => {
      const [min, max] = settings.ranges[k];
      return makeRow(own({ name, value: values[k], min, max, step: 0.1 }), name);
    });
    this.heads = COLUMNS.map((_, k) => {
      const words = make("span", { class: "gptlib-now" });
      const root = make("div", { class: "gptlib-soft-cell gptlib-soft-head" }, words,
        make("span", { class: "gptlib-faint gptlib-soft-below" }, BELOW[k]));
      return { root, words };
    });
    this.sums = COLUMNS.map(() => make("div", { class: "gptlib-soft-cell gptlib-soft-sum" }));
    this.foot = make("div", { class: "gptlib-soft-foot", role: "status" });
    const three = (cells) => make("div", { class: "gptlib-soft-three" }, ...cells);
    this.grid = make("div", { class: "gptlib-soft", role: "group", "aria-label": "Logits to probabilities" },
      make("span"), three(this.heads.map(({ root }) => root)),
      ...this.rows.flatMap(({ control, picture }) => [control.root, picture]),
      make("span"), three(this.sums));
    page.picture.append(this.grid, this.foot);
    this.player = player({
      step: () => this.nextStage(), seconds: () => PACE,
      onChange: (playing) => (this.steps.name = playing ? "Stop" : "Show the steps"),
    });
  }

  /** What code in the notebook sets is shown here. */
  listen() {
    this.model.on("change:values", () => {
      this.model.get("values").forEach((value, k) => (this.rows[k].control.value = value));
      this.repaint();
    });
    for (const trait of ["c", "temperature"])
      this.model.on(`change:${trait}`, () => {
        this[trait].value = this.model.get(trait);
        this.repaint();
      });
  }

  get values() {
    return this.rows.map(({ control }) => control.value);
  }

  tell() {
    const { kernel } = this.frame;
    kernel.tell("values", this.values);
    kernel.tell("c", this.c.value);
    kernel.tell("temperature", this.temperature.value);
  }

  /** A slider is followed at once: only what a button does is seen to move. */
  follow() {
    this.grid.classList.remove("gptlib-soft-glides");
    this.showAll();
    this.repaint();
  }

  glide() {
    this.grid.classList.add("gptlib-soft-glides");
    this.showAll();
    this.paint();
    this.tell();
  }

  add() {
    if (this.c.value + 1 > this.c.max) return this.frame.note(`c is ${this.c.max} at most: press Reset.`);
    this.c.value += 1;
    this.glide();
  }

  reset() {
    this.rows.forEach(({ control }, k) => (control.value = this.settings.start[k]));
    this.c.value = 0;
    this.temperature.value = 1;
    this.glide();
  }

  // ---- One column after the other ----

  play() {
    if (this.player.playing) {
      this.showAll();
      return this.paint();
    }
    this.grid.classList.add("gptlib-soft-glides");
    this.stage = -1;
    this.player.start();
  }

  nextStage() {
    this.stage++;
    this.paint();
    return this.stage < STAGES.length - 1;
  }

  showAll() {
    this.player.stop();
    this.stage = STAGES.length - 1;
    this.explaining = false;
  }

  paint() {
    const [c, temperature] = [this.c.value, this.temperature.value];
    const { scaled, powers, shares } = softmaxColumns(this.values, c, temperature);
    const reach = Math.max(REACH, ...scaled.map(Math.abs));
    const shown = [true, this.stage > 0, this.stage > 2];
    const most = Math.max(...shares);
    this.frame.trouble("");
    this.rows.forEach((row, k) => {
      row.show({ z: scaled[k], power: powers[k], share: shares[k], long: shares[k] / most, reach, shown });
    });
    titles(c, temperature).forEach((words, k) => say(this.heads[k].words, words));
    const sum = powers.reduce((a, b) => a + b, 0);
    say(this.sums[1], this.stage > 1 ? `sum ${short(sum)}` : "");
    say(this.sums[2], shown[2] ? "sum 1" : "");
    if (this.player.playing) this.explaining = true;
    say(this.foot, this.explaining ? STAGES[this.stage] : whatCDoes(c / temperature));
  }
}

/** A slider, and what becomes of its logit. */
function makeRow(control, name) {
  const cells = COLUMNS.map((_, k) => {
    const fill = make("div", { class: `gptlib-fill gptlib-soft-fill gptlib-soft-${k}` });
    const zero = k ? [] : [make("div", { class: "gptlib-soft-zero" })];
    const words = make("span", { class: k === 2 ? "gptlib-now" : "" });
    const track = make("div", { class: "gptlib-soft-track" }, fill, ...zero);
    return { root: make("div", { class: "gptlib-soft-cell" }, track, words), fill, words };
  });
  const picture = make("div", { class: "gptlib-soft-three", role: "img" }, ...cells.map(({ root }) => root));
  set(control.root.firstChild, { title: name });
  return {
    control, picture,
    show({ z, power, share, long, reach, shown }) {
      const half = (50 * Math.abs(z)) / reach;
      style(cells[0].fill, { left: `${z < 0 ? 50 - half : 50}%`, width: `${half}%` });
      style(cells[1].fill, { width: `${shown[1] ? 100 * long : 0}%` });
      style(cells[2].fill, { width: `${shown[2] ? 100 * rounded(share) : 0}%` });
      const words = [two(z), short(power), chance(share)];
      cells.forEach((cell, k) => say(cell.words, shown[k] ? words[k] : ""));
      const parts = [`logit ${words[0]}`, `e to that ${words[1]}`, `probability ${words[2]}`];
      set(picture, { "aria-label": `${name}: ${parts.filter((_, k) => shown[k]).join(", ")}` });
    },
  };
}

const CSS = `
.gptlib-soft { display: grid; grid-template-columns: 18.5em minmax(0, 1fr); gap: .35em 1em;
  align-items: center; }
.gptlib-soft > .gptlib-number > span { flex: 1; min-width: 0; text-align: right; overflow: hidden;
  text-overflow: ellipsis; white-space: pre; font-family: var(--jp-code-font-family, monospace); }
.gptlib-live .gptlib-soft input[type=range] { flex: 0 1 6.5em; }
.gptlib-live .gptlib-soft input[type=number] { width: 4.2em; }
.gptlib-soft-three { display: grid; grid-template-columns: repeat(3, minmax(0, 1fr)); gap: 0 1em; }
.gptlib-soft-cell { display: grid; grid-template-columns: minmax(0, 1fr) 3.7em; align-items: center;
  gap: .4em; text-align: right; min-height: 1.5em; }
.gptlib-soft-cell > .gptlib-soft-below, .gptlib-soft-head > .gptlib-now { grid-column: 1 / -1; }
.gptlib-soft-head { gap: 0; align-content: start; }
.gptlib-soft-head > .gptlib-now { min-height: 1.35em; }
.gptlib-soft-sum { display: block; color: ${COLOURS.FAINT}; }
.gptlib-soft-track { position: relative; height: 1.4em; border-left: 1px solid ${COLOURS.FAINT};
  border-right: 1px solid ${COLOURS.GRID}; }
.gptlib-soft-fill { position: absolute; left: 0; }
.gptlib-soft-0 { background: #7a7a7a; } .gptlib-soft-1 { background: ${COLOURS.ORANGE}; }
.gptlib-soft-zero { position: absolute; left: 50%; top: 0; bottom: 0;
  border-left: 1px solid ${COLOURS.INK}; }
.gptlib-soft-foot { margin-top: .6em; min-height: 2.8em; }
.gptlib-soft .gptlib-now { font-weight: 600; }
@container (max-width: 46em) {
  .gptlib-soft { grid-template-columns: minmax(0, 1fr); gap: .2em; }
  .gptlib-soft > span { display: none; }
  .gptlib-soft > .gptlib-number > span { flex: 0 0 5.2em; text-align: left; }
  .gptlib-soft > .gptlib-number { margin-top: .3em; }
}
@container (max-width: 36em) {
  .gptlib-soft-three { gap: 0 .5em; grid-template-columns: 1fr 1fr 1.2fr; }
  .gptlib-soft-cell { grid-template-columns: minmax(0, 1fr); gap: 0; }
  .gptlib-soft-track { height: .9em; }
  .gptlib-soft-track > .gptlib-fill { top: 0; height: 100%; }
  .gptlib-soft-below { display: none; }
  .gptlib-soft .gptlib-soft-head > .gptlib-now { font-weight: 400; }
}
@media (prefers-reduced-motion: no-preference) {
  .gptlib-soft-glides .gptlib-soft-fill { transition: width .5s ease-out, left .5s ease-out; }
}
@media (forced-colors: active) { .gptlib-soft-fill { background: Highlight; } }
`;

export default {
  render({ model, el }) {
    const explorer = new Softmax({ model, el });
    return () => {
      explorer.player.stop();
      explorer.frame.close();
    };
  },
};
