// Lesson 04's explorer: take parts of the block out, and see what the next word comes to.
//
// The parts are boxes of a drawing, each with its tick. A small model runs here without them; a
// larger one is asked of Python (gptlib/widgets/feedforward.py), as is the truth for a prompt.

import { frame, latest, needsKernel, onceAFrame } from "./base.js";
import { bars, spoken } from "./bars.js";
import { choice, line } from "./controls.js";
import { draw, make, say, set, two, whole } from "./dom.js";
import { floats, loadModel, loadTokenizer } from "./kernel.js";
import { ranking } from "./sampling.js";
import { COLOURS } from "./style.js";

const ROWS = 7; // tokens that the whole model or the truth expects
const OWN = 3; // and those that the broken model does

/** {probs, logs} of logits (V,), in 64 bits: without a part they may lie far apart. */
export function distribution(logits) {
  const values = Float64Array.from(logits);
  if (!values.every(Number.isFinite))
    throw new Error("without this part the numbers overflow: the logits are not finite");
  let largest = -Infinity;
  for (const value of values) if (value > largest) largest = value;
  let sum = 0;
  for (const value of values) sum += Math.exp(value - largest);
  const logs = values.map((value) => value - largest - Math.log(sum));
  return { probs: logs.map(Math.exp), logs };
}

/** KL(p || q) in nats; p: [id, probability] pairs, logs: ln q (V,). */
export function klTo(pairs, logs) {
  let sum = 0;
  for (const [id, p] of pairs) if (p > 0) sum += p * (Math.log(p) - logs[id]);
  return sum;
}

/** The ids that have rows: what the truth and the whole model expect, then the broken one's own. */
export function rowsOf(whole, now, truth) {
  const known = [...truth].sort((a, b) => b[1] - a[1]).map(([id]) => id).slice(0, ROWS);
  const best = ranking(whole).slice(0, 2 * ROWS).filter((id) => !known.includes(id));
  const first = [...known, ...best].slice(0, ROWS).sort((a, b) => whole[b] - whole[a]);
  const own = ranking(now).slice(0, ROWS + OWN).filter((id) => !first.includes(id));
  return [...first, ...own.slice(0, OWN)];
}

class BlockExplorer {
  constructor({ model, el }, gpt, tokenizer) {
    Object.assign(this, { model, gpt, tokenizer });
    this.settings = model.get("settings"); // {parts: [[part, name], ...], layers, truth, longest}
    this.frame = frame({ model, el, name: "Block explorer", css: CSS });
    this.kernel = this.frame.kernel;
    this.known = new Map(); // ids, parts, layer -> distribution
    this.truths = new Map(); // ids -> {truth: Map, note}
    this.build();
    this.repaint = onceAFrame(() => this.frame.run(() => this.paint()));
    const read = async () => (this.seen = await this.look());
    this.again = latest(this.frame, read, this.repaint);
    this.listen();
    this.refresh();
  }

  build() {
    const { frame: page, model, settings } = this;
    this.prompt = line({
      name: "prompt", value: model.get("prompt"),
      onInput: () => this.refresh(), onDone: (text) => this.kernel.tell("prompt", text),
    });
    const layers = Array.from({ length: settings.layers }, (_, k) => `in layer ${k}`);
    this.layer = choice({
      name: "out", options: ["in all layers", ...layers], value: model.get("layer") + 1,
      onInput: (place) => {
        this.kernel.tell("layer", place - 1);
        this.refresh();
      },
    });
    page.row(this.prompt, this.layer);
    this.off = new Set(model.get("off"));
    this.boxes = [];
    const names = Object.fromEntries(settings.parts);
    const half = (part) => {
      const path = this.part("residual", names.residual, `${names.residual} around ${part}`);
      const inside = [this.part("layernorm", names.layernorm, `${names.layernorm} before ${part}`),
        this.part(part, part, part)];
      return make("div", { class: "gptlib-half" },
        make("div", { class: "gptlib-path" }, path),
        make("div", { class: "gptlib-inside-block" }, arrow(), inside[0], arrow(), inside[1], arrow(),
          make("span", { class: "gptlib-plus", title: "added to the stream" }, "+")));
    };
    this.title = make("div", { class: "gptlib-block-title" });
    this.block = make("div", { class: "gptlib-block", role: "group" }, half("attention"), half("feedforward"));
    this.words = make("div", { role: "status", class: "gptlib-distances" });
    this.bars = bars({ most: ROWS + OWN + 1 });
    this.bars.root.classList.add("gptlib-racing");
    page.picture.append(this.title, this.block, this.words, this.bars.root);
    if (!this.gpt)
      needsKernel(page, this.prompt, this.layer, ...this.boxes.map(({ box }) => ({
        set disabled(off) {
          box.disabled = off;
        },
      })));
  }

  /** A box of the drawing with its tick; a part that is there twice goes out in both places. */
  part(part, name, spoken) {
    const first = !this.boxes.some((other) => other.part === part);
    const box = make("input", {
      type: "checkbox", "aria-label": first ? name : spoken,
      on: { change: () => this.take(part, !box.checked) },
    });
    const words = make("span", {}, name);
    const root = make("label", { class: "gptlib-part-box" }, box, words);
    this.boxes.push({ part, name, box, root, words });
    return root;
  }

  take(part, out) {
    if (out) this.off.add(part);
    else this.off.delete(part);
    this.kernel.tell("off", this.out);
    this.refresh();
  }

  listen() {
    const { model } = this;
    model.on("change:shared_model", () => this.frame.run(() => this.reread()));
    model.on("change:prompt", () => {
      if (this.prompt.value === model.get("prompt")) return;
      this.prompt.value = model.get("prompt");
      this.refresh();
    });
    model.on("change:off", () => {
      this.off = new Set(model.get("off"));
      this.refresh();
    });
    model.on("change:layer", () => {
      this.layer.value = model.get("layer") + 1;
      this.refresh();
    });
  }

  async reread() {
    this.gpt = await loadModel(this.model);
    this.known.clear();
    return this.refresh();
  }

  // ---- What the models say ----

  /** The parts that are out, in the order of the settings. */
  get out() {
    return this.settings.parts.map(([part]) => part).filter((part) => this.off.has(part));
  }

  get ids() {
    const ids = this.tokenizer.encode(this.prompt.value, { allowSpecial: true });
    const { longest } = this.settings;
    if (!ids.length) throw new Error("type some text");
    if (ids.length > longest)
      throw new Error(`${ids.length} tokens are too many to show: ${longest} at most`);
    return ids;
  }

  async after(ids, without, layer) {
    const key = [ids.join(" "), without.join(" "), without.length ? layer : -1].join("|");
    if (!this.known.has(key)) {
      const layers = layer < 0 ? null : [layer];
      const logits = this.gpt
        ? this.gpt.trace(ids, { without, layers }).logits()
        : floats((await this.kernel.ask("logits", { ids, off: without, layer })).buffers[0]);
      if (this.known.size > 200) this.known.clear();
      this.known.set(key, distribution(logits));
    }
    return this.known.get(key);
  }

  truthAt(ids) {
    if (!this.settings.truth) return {};
    const key = ids.join(" ");
    if (!this.truths.has(key)) {
      if (this.kernel.gone) return { note: "No truth here: the kernel has stopped." };
      this.truths.set(key, {});
      this.kernel.ask("truth", { ids }).then(
        ({ truth, note }) => {
          this.truths.set(key, { truth: truth && new Map(truth), note });
          this.repaint();
        },
        () => {
          this.truths.delete(key);
          this.repaint();
        },
      );
    }
    return this.truths.get(key);
  }

  /** What the whole model and the one without the parts say after the prompt. */
  async look() {
    const [ids, out, layer] = [this.ids, this.out, this.layer.value - 1];
    const both = Promise.all([this.after(ids, [], -1), this.after(ids, out, layer)]);
    const [first, now] = this.gpt ? await both : await this.frame.waitFor(both);
    return { ids, out, first, now };
  }

  /** Read both models. */
  refresh() {
    this.mark();
    return this.again();
  }

  // ---- What is shown ----

  where() {
    const layer = this.layer.value - 1;
    return layer < 0 ? `in all layers (${this.settings.layers})` : `in layer ${layer}`;
  }

  /** The drawing, at once: what is out is dashed, crossed out, and says so. */
  mark() {
    for (const { part, name, box, root, words } of this.boxes) {
      const off = this.off.has(part);
      box.checked = !off;
      root.classList.toggle("gptlib-out", off);
      say(words, off ? `${name} off` : name);
    }
    say(this.title, `The block, ${this.where()}: untick a part to take it out.`);
    const out = this.out.map((part) => Object.fromEntries(this.settings.parts)[part]);
    set(this.block, { "aria-label": `The block ${this.where()}, ${out.length ? `without ${out.join(" and ")}` : "whole"}` });
  }

  rows(truth) {
    const { first, now } = this.seen;
    const shown = rowsOf(first.probs, now.probs, truth ?? new Map());
    const rows = shown.map((id) => ({
      name: this.tokenizer.tokenStr(id), now: now.probs[id], beside: first.probs[id],
      truth: truth ? (truth.get(id) ?? 0) : null,
    }));
    const rest = (pairs) => {
      let sum = 0;
      for (const [id, p] of pairs) if (!shown.includes(id)) sum += p;
      return sum;
    };
    const left = now.probs.length - shown.length;
    if (left > 0)
      rows.push({
        name: `${whole(left)} others`, now: rest(now.probs.entries()),
        beside: rest(first.probs.entries()), truth: truth ? rest(truth) : null,
      });
    return rows;
  }

  paint() {
    if (!this.seen) return;
    const { ids, out, first, now } = this.seen;
    const { truth, note } = this.truthAt(ids);
    const rows = this.rows(truth);
    const said = this.distances(truth, first, now);
    say(this.words, note ? `${said} ${note}` : said);
    const names = Object.fromEntries(this.settings.parts);
    const model = out.length
      ? `Without ${out.map((part) => names[part]).join(" and ")} ${this.where()}` : "With every part";
    this.bars.update(rows, {
      columns: ["as ticked", "whole model", truth ? "truth" : null, null],
      label: `${model}, after “${this.tokenizer.decode(ids)}”: ${spoken(rows)}. ${said}`,
    });
  }

  distances(truth, first, now) {
    const whole = `From the whole model: KL ${two(klTo(first.probs.entries(), now.logs))} nats.`;
    if (!truth) return whole;
    const [mine, other] = [now, first].map(({ logs }) => two(klTo(truth, logs)));
    return `From the truth: KL ${mine} nats (the whole model ${other}). ${whole}`;
  }
}

function arrow() {
  const path = draw("path", {
    d: "M0 8H15M11 4L16 8L11 12", fill: "none", stroke: COLOURS.INK, "stroke-width": 1.5,
  });
  return draw("svg", { class: "gptlib-arrow", viewBox: "0 0 17 16", "aria-hidden": "true" }, path);
}

const CSS = `
.gptlib-block { display: flex; flex-flow: row wrap; gap: .3em .2em; margin: .2em 0 .3em; }
.gptlib-block + .gptlib-distances { min-height: 1.4em; }
.gptlib-half { flex: 0 1 auto; position: relative; max-width: 100%; }
.gptlib-path { margin: 0 .55em -.3em .4em; display: flex; justify-content: center; position: relative;
  height: 2.3em; align-items: flex-start; }
.gptlib-path::before { content: ""; position: absolute; left: 0; right: 0; top: .85em; bottom: 0;
  border: 1.5px solid ${COLOURS.INK}; border-bottom: none; border-radius: 6px 6px 0 0; }
.gptlib-path:has(.gptlib-out)::before { border-style: dashed; border-color: ${COLOURS.FAINT}; }
.gptlib-inside-block { display: flex; align-items: center; gap: .15em; }
.gptlib-live .gptlib-part-box { display: flex; gap: .35em; align-items: center; padding: .1em .5em; cursor: pointer;
  border: 1.5px solid ${COLOURS.INK}; border-radius: 4px; position: relative; white-space: nowrap;
  background: color-mix(in srgb, ${COLOURS.BLUE} 16%, ${COLOURS.PAPER}); }
.gptlib-live .gptlib-path .gptlib-part-box { background: ${COLOURS.PAPER}; border-color: ${COLOURS.GRID}; }
.gptlib-live .gptlib-half .gptlib-out { border-style: dashed; border-color: ${COLOURS.ORANGE}; background: ${COLOURS.PAPER}; }
.gptlib-out > span { text-decoration: line-through; text-decoration-color: ${COLOURS.ORANGE};
  text-decoration-thickness: 2px; }
.gptlib-arrow { width: 1.05em; height: 1em; flex: none; }
.gptlib-plus { border: 1.5px solid ${COLOURS.INK}; border-radius: 50%; width: 1.4em; height: 1.4em; flex: none;
  display: inline-flex; align-items: center; justify-content: center; }
.gptlib-block-title { font-weight: 600; }
@container (max-width: 36em) {
  .gptlib-inside-block { flex-wrap: wrap; gap: .2em; }
  .gptlib-inside-block > .gptlib-arrow:first-child { display: none; }
  .gptlib-plus { margin-left: auto; }
}
@media (prefers-reduced-motion: no-preference) {
  .gptlib-part-box { transition: background .3s, border-color .3s; }
}
`;

export default {
  async render({ model, el }) {
    const [gpt, tokenizer] = await Promise.all([loadModel(model), loadTokenizer(model)]);
    const explorer = new BlockExplorer({ model, el }, gpt, tokenizer);
    return () => explorer.frame.close();
  },
};
