// Lesson 07's explorer: a distribution to bend, and a sentence that grows by drawing from it.
//
// The model, the bending and the draws are computed here. Asked of Python: the truth for a prefix,
// the logits of a model too large for a browser, and the probabilities of a student's own sampler.

import { frame, latest, needsKernel, onceAFrame, player, motion } from "./base.js";
import { bars, spoken } from "./bars.js";
import { button, choice, line, number } from "./controls.js";
import { make, say, two, whole } from "./dom.js";
import { floats, loadModel, loadTokenizer } from "./kernel.js";
import { Stream, countDraws, draw, klFrom, nextTokenProbs, ranking, softmax } from "./sampling.js";
import { sentence } from "./sentence.js";
import { strip } from "./strip.js";

const ROWS = 8; // single tokens; all others share one row
const FEWEST = 4;
const MATTERS = 0.005; // a probability that has a row of its own
const MANY = 1000; // draws for the histogram
const RUN = 40; // tokens, at most, for one press of Run
const LONGEST = 64; // tokens of a prompt
const PACES = [["slow", 1.6], ["medium", 0.7], ["fast", 0.2], ["at once", 0]];

/** The ids that have rows: what the truth and the model expect, the model's likeliest first. */
export function rowsThatMatter(model, order, truth) {
  const known = truth ? [...truth].sort((a, b) => b[1] - a[1]).map(([id]) => id).slice(0, ROWS) : [];
  const best = order.slice(0, ROWS).filter((id, k) => k < FEWEST || model[id] >= MATTERS);
  const shown = [...known, ...best.filter((id) => !known.includes(id))].slice(0, ROWS);
  return shown.sort((a, b) => model[b] - model[a] || a - b);
}

class Studio {
  constructor({ model, el }, gpt, tokenizer) {
    Object.assign(this, { model, gpt, tokenizer });
    this.settings = model.get("settings"); // {controls, truth, sampler, block_size}
    this.frame = frame({ model, el, name: "Sampling studio" });
    this.kernel = this.frame.kernel;
    this.words = []; // [{id, p}] drawn after the prompt
    this.edits = 0; // how often the text was taken back or changed, which ends what is being drawn
    this.drawing = Promise.resolve(); // the last token that was asked for
    this.presses = 0; // of "Draw 1,000", at this place
    this.places = new Map(); // ids -> what the model says after them
    this.truths = new Map(); // ids -> {truth: Map, note} or a promise
    this.stream = new Stream(model.get("seed"));
    this.build();
    this.repaint = onceAFrame(() => this.frame.run(() => this.paint()));
    this.refresh = latest(this.frame, () => this.read(), this.repaint);
    this.listen();
    this.refresh();
  }

  // ---- Controls ----

  build() {
    const { frame: page, model } = this;
    const has = (name) => this.settings.controls.includes(name);
    const own = (trait, more) => {
      const control = number({
        value: model.get(trait),
        onInput: () => this.refresh(),
        onDone: (value) => this.kernel.tell(trait, value),
        onWrong: (words) => page.trouble(words),
        ...more,
      });
      return control;
    };
    const size = this.settings.vocab_size;
    this.prompt = line({
      name: "prompt", value: model.get("prompt"),
      onInput: () => this.backTo(0),
      onDone: (text) => this.kernel.tell("prompt", text),
    });
    this.numbers = {
      temperature: own("temperature", { name: "temperature", min: 0, max: 3, step: 0.05 }),
      top_k: own("top_k", { name: "top-k, 0: all", min: 0, max: Math.min(size, 40) }),
      top_p: own("top_p", { name: "top-p, 1: all", min: 0.05, max: 1, step: 0.05 }),
      seed: own("seed", { name: "seed", min: 0, max: 999_999 }),
    };
    this.numbers.seed.slider.remove(); // nobody slides to a seed
    const press = (name, hint, action) =>
      button({ name, hint, onClick: () => page.run(() => action.call(this)) });
    this.buttons = {
      step: press("Step", "draw one token", this.stepByHand),
      run: press("Run", "draw tokens until the stop token", this.toggle),
      undo: press("Undo", "take the last token back", this.undo),
      reset: press("Reset", "back to the prompt", this.reset),
      draw: press(`Draw ${whole(MANY)}`, "draw the next token so often, and count", this.drawMany),
    };
    this.pace = choice({ name: "pace", options: PACES.map(([words]) => words), value: 1 });
    page.row(this.prompt);
    const chosen = ["temperature", "top_k", "top_p", "seed"].filter(has);
    page.row(...chosen.map((name) => this.numbers[name]));
    const { step, run, undo, reset, draw: many } = this.buttons;
    page.row(step, run, this.pace, undo, reset, ...(has("draws") ? [many] : []));
    this.player = player({
      step: () => this.frame.run(() => this.runOn()),
      seconds: () => this.seconds(),
      onChange: (playing) => (run.name = playing ? "Pause" : "Run"),
    });
    this.sentence = sentence();
    this.state = make("div", { role: "status" });
    this.strip = strip();
    this.bars = bars({ most: ROWS + 1 });
    this.bars.root.style.minHeight = `${1.5 * (ROWS + 1) + 2.8}em`; // nothing jumps below it
    page.picture.append(this.sentence.root, this.state, this.strip.root, this.bars.root);
    if (!this.gpt || this.settings.sampler)
      needsKernel(page, this.prompt, ...Object.values(this.numbers), ...Object.values(this.buttons));
  }

  listen() {
    this.model.on("change:shared_model", () => this.frame.run(() => this.reread()));
    for (const [trait, control] of Object.entries({ prompt: this.prompt, ...this.numbers }))
      this.model.on(`change:${trait}`, () => {
        if (control.value === this.model.get(trait)) return;
        control.value = this.model.get(trait);
        if (trait === "prompt") this.backTo(0);
        else this.refresh();
      });
  }

  seconds() {
    return PACES[this.pace.value][1];
  }

  // ---- What is drawn from ----

  get promptIds() {
    const ids = this.tokenizer.encode(this.prompt.value, { allowSpecial: true });
    if (!ids.length) throw new Error("type some text");
    if (ids.length > LONGEST)
      throw new Error(`${ids.length} tokens are too many to show: ${LONGEST} at most`);
    return ids;
  }

  get ids() {
    return [...this.promptIds, ...this.words.map(({ id }) => id)];
  }

  get filters() {
    const { temperature, top_k: topK, top_p: topP } = this.numbers;
    const off = topP.value >= 1 ? null : topP.value;
    return { temperature: temperature.value, topK: topK.value || null, topP: off };
  }

  get stopped() {
    return this.words.length > 0 && this.words.at(-1).id === this.tokenizer.eosId;
  }

  /** {logits, order, model}: what the model says after ids; asked once for each text. */
  async placeAt(ids) {
    const key = ids.join(" ");
    if (!this.places.has(key)) {
      const asked = () => this.kernel.ask("logits", { ids }).then(({ buffers }) => floats(buffers[0]));
      const logits = this.gpt ? this.gpt.next(ids) : await asked();
      this.places.set(key, { logits, order: ranking(logits), model: softmax(logits) });
    }
    return this.places.get(key);
  }

  /** {truth, note}, or nothing yet: the picture does not wait for it. */
  truthAt(ids) {
    if (!this.settings.truth) return {};
    const key = ids.join(" ");
    if (!this.truths.has(key)) {
      if (this.kernel.gone) return { note: "No truth here: the kernel has stopped." };
      this.truths.set(key, {});
      this.kernel.ask("truth", { ids }).then(
        ({ truth, note }) => {
          this.truths.set(key, { truth: truth && new Map(truth), note });
          this.refresh();
        },
        () => this.truths.delete(key),
      );
    }
    return this.truths.get(key);
  }

  async probsAt(ids, place) {
    const { temperature, topK, topP } = this.filters;
    if (!this.settings.sampler)
      return nextTokenProbs(place.logits, { temperature, topK, topP, order: place.order });
    const said = await this.kernel.ask("sample", { ids, temperature, top_k: topK, top_p: topP });
    return floats(said.buffers[0]);
  }

  // ---- What the buttons do ----

  async stepByHand() {
    this.player.stop();
    if (!this.stopped) return this.step();
    this.frame.note(
      "The text has ended: the stop token was drawn. Undo takes it back, Reset begins again.",
    );
  }

  /** Draw one token, after those that were asked for before; false: it cannot be. */
  step() {
    if (this.falling) return this.falling(); // pressed again while it falls: be done
    const { edits } = this;
    const before = this.drawing.catch(() => {}); // whoever asked for that has heard of it
    return (this.drawing = before.then(() => edits === this.edits && this.drawOne()));
  }

  /** The number falls, and the token joins the sentence, unless that was changed meanwhile. */
  async drawOne() {
    const { edits } = this;
    if (!(await this.refresh())) return false; // what was read before is of another place
    if (edits !== this.edits || this.stopped) return false;
    const { probs } = this;
    const u = this.stream.at(this.words.length);
    const greedy = this.filters.temperature === 0 && !this.settings.sampler;
    const id = greedy ? this.place.order[0] : draw(probs, u);
    if (!greedy) await this.fall(u, id);
    if (edits !== this.edits) return false;
    this.presses = 0;
    this.words.push({ id, p: probs[id], u: greedy ? null : u });
    this.tellDrawn();
    await this.refresh();
    return true;
  }

  /** Show where the number falls, for as long as the pace leaves. */
  async fall(u, id) {
    const pause = motion(Math.min(0.9, 0.6 * this.seconds()));
    if (!pause) return;
    this.picked = id;
    this.paint();
    this.strip.drop(u, id, this.name(id));
    await new Promise((done) => {
      this.falling = done;
      setTimeout(done, 1000 * pause);
    });
    this.falling = this.picked = null;
  }

  /** One step of Run; whether there is more to do. */
  async runOn() {
    if (this.stopped || this.left <= 0) return false;
    return (await this.step()) !== false && !this.stopped && --this.left > 0;
  }

  toggle() {
    if (this.player.playing) return this.player.stop();
    if (this.stopped) return this.stepByHand();
    this.left = RUN;
    this.player.start();
  }

  /** Take back the token that is falling, or else the last one. */
  undo() {
    this.backTo(Math.max(0, this.words.length - (this.falling ? 0 : 1)));
  }

  /** Back to the prompt; a model that has learned meanwhile is read again. */
  reset() {
    this.places.clear();
    if (this.gpt && !this.kernel.gone) this.kernel.ask("reread").catch(() => {});
    return this.backTo(0);
  }

  async reread() {
    this.gpt = await loadModel(this.model);
    this.places.clear();
    return this.refresh();
  }

  drawMany() {
    this.presses++;
    return this.refresh();
  }

  backTo(count) {
    this.edits++;
    this.player.stop();
    this.falling?.();
    if (this.words.length > count) {
      this.words.length = count;
      this.tellDrawn();
    }
    this.presses = 0;
    return this.refresh();
  }

  tellDrawn() {
    this.kernel.tell("drawn", this.words.map(({ id }) => id));
  }

  // ---- What is shown ----

  name(id) {
    return this.tokenizer.tokenStr(id);
  }

  /** Read the model at this place. */
  async read() {
    if (this.stream.seed !== this.numbers.seed.value) this.newStream();
    const ids = this.ids;
    const place = await this.frame.waitFor(this.placeAt(ids));
    const probs = await this.frame.waitFor(this.probsAt(ids, place));
    Object.assign(this, { place, probs, shownIds: ids });
  }

  newStream() {
    this.stream = Object.assign(new Stream(this.numbers.seed.value), { seed: this.numbers.seed.value });
  }

  rows() {
    const { probs, place } = this;
    const { truth } = this.truthAt(this.shownIds);
    const shown = rowsThatMatter(place.model, place.order, truth);
    const from = (this.presses - 1) * MANY;
    const counts = this.presses ? countDraws(probs, this.stream.slice(from, from + MANY)) : null;
    const filtered = this.filters.topK !== null || this.filters.topP !== null;
    const rows = shown.map((id) => ({
      name: this.name(id), now: probs[id], beside: place.model[id],
      truth: truth ? (truth.get(id) ?? 0) : null, drawn: counts && counts[id],
      picked: this.picked === id,
    }));
    const rest = (values) => {
      let sum = 0;
      values.forEach((value, id) => (sum += shown.includes(id) ? 0 : value));
      return sum;
    };
    if (probs.length > shown.length)
      rows.push({
        name: `${whole(probs.length - shown.length)} others`, now: rest(probs),
        beside: rest(place.model), drawn: counts && rest(counts),
        truth: truth ? [...truth].reduce((sum, [id, p]) => sum + (shown.includes(id) ? 0 : p), 0) : null,
        picked: this.picked != null && !shown.includes(this.picked),
      });
    for (const row of rows) row.cut = filtered && row.now === 0;
    return rows;
  }

  paint() {
    if (!this.probs) return;
    const rows = this.rows();
    const text = this.tokenizer.decode(this.shownIds);
    const { temperature, topK, topP } = this.filters;
    const filters = `${topK ? `, top-k ${topK}` : ""}${topP ? `, top-p ${topP}` : ""}`;
    const said = `After “${text}”, temperature ${temperature}${filters}: ${spoken(rows)}.`;
    const truth = rows[0].truth !== null;
    this.bars.update(rows, {
      columns: ["to draw from", "model", truth && "truth", this.presses > 0 && `of ${whole(MANY)}`],
      draws: MANY,
      label: said,
    });
    const prompt = this.shownIds.slice(0, this.shownIds.length - this.words.length);
    const words = prompt.map((id) => ({ name: this.name(id) }));
    for (const { id, p } of this.words)
      words.push({ name: this.name(id), p, stop: id === this.tokenizer.eosId });
    this.sentence.update(words, `The text so far: ${text}`);
    if (this.picked == null) this.strip.lift();
    this.strip.update(this.probs, (id) => this.name(id));
    say(this.state, this.notes(rows));
  }

  notes(rows) {
    const last = this.words.at(-1);
    const fell = last?.u == null ? "" : ` ${last.u.toFixed(3)} fell on “${this.name(last.id)}”.`;
    const together = this.words.reduce((product, { p }) => product * p, 1).toPrecision(2);
    let state = "Press Step: a random number falls on the strip and picks the next token.";
    if (this.stopped)
      state = `The stop token ended the text.${fell} All together: ${together}. The bars are of a `
        + "next text.";
    else if (last) state = `${this.words.length} drawn.${fell} All together: probability ${together}.`;
    const { truth, note } = this.truthAt(this.shownIds);
    const sum = rows.reduce((total, { now }) => total + now, 0);
    if (Math.abs(sum - 1) > 1e-3) return `The sampler's probabilities sum to ${two(sum)}, not to 1.`;
    if (note) return `${state} ${note}`;
    if (truth && this.settings.controls.includes("kl"))
      return `${state} KL from the truth: ${two(klFrom(truth, this.probs))} nats.`;
    return state;
  }
}

export default {
  async render({ model, el }) {
    const [gpt, tokenizer] = await Promise.all([loadModel(model), loadTokenizer(model)]);
    const studio = new Studio({ model, el }, gpt, tokenizer);
    return () => {
      studio.player.stop();
      studio.frame.close();
    };
  },
};
