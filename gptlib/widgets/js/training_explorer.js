// Lesson 06's explorer: a recorded run to scrub or play through, and a live one that Python trains.
//
// Python answers "prompt" with all that the recorded models make of it, so that a step is shown
// without asking; and it sends news of the live run while that trains.

import { frame, latest, needsKernel, onceAFrame, player } from "./base.js";
import { bars, spoken } from "./bars.js";
import { chart } from "./chart.js";
import { button, choice, line, picker } from "./controls.js";
import { make, say, two, whole } from "./dom.js";
import { floats } from "./kernel.js";
import { heatmap, looks } from "./heatmap.js";

const PLAY = 0.45; // seconds a step
const CSS = `
.gptlib-beside-each-other { display: grid; grid-template-columns: 3fr 2fr; gap: .2em 1.5em;
  align-items: start; }
.gptlib-caption { font-weight: 600; }
@container (max-width: 44em) { .gptlib-beside-each-other { grid-template-columns: 1fr; } }
`;

class Training {
  constructor({ model, el }) {
    this.model = model;
    this.settings = model.get("settings");
    this.frame = frame({ model, el, name: "Training explorer", css: CSS });
    this.kernel = this.frame.kernel;
    this.live = null; // the latest news
    this.take(model.get("seen"), [model.get("weights")]);
    this.repaint = onceAFrame(() => this.frame.run(() => this.paint()));
    this.askAgain = latest(this.frame, () => this.askPrompt(), this.repaint);
    this.build();
    this.kernel.onNews((news, buffers) => this.hear(news, buffers));
    this.paint();
  }

  // ---- Controls ----

  build() {
    const { frame: page, model, settings } = this;
    const count = (n) => Array.from({ length: n }, (_, k) => String(k));
    const redraw = () => this.repaint();
    this.prompt = line({
      name: "prompt", value: model.get("prompt"), onInput: () => this.askAgain(),
    });
    this.step = picker({
      name: "step", options: settings.steps.map(whole), value: model.get("step"),
      onInput: () => {
        this.player.stop();
        this.show.value = 0;
        redraw();
      },
      onDone: (place) => this.kernel.tell("step", place),
    });
    this.play = button({
      name: "Play", hint: "through the recorded run", onClick: () => this.toggle(),
    });
    this.layer = choice({ name: "layer", options: count(settings.n_layer), onInput: redraw });
    this.head = choice({ name: "head", options: count(settings.n_head), onInput: redraw });
    this.show = choice({
      name: "show", options: ["recorded run", "live run"],
      onInput: () => {
        this.player.stop(); // which goes through the recorded run alone
        redraw();
      },
    });
    const press = (name, hint, action) =>
      button({ name, hint, onClick: () => page.run(() => this.drive(action)) });
    this.buttons = [
      press("Start", "train, or train on", "start"),
      press("Stop", "after the update that is being made", "stop"),
      press("Begin again", "a new model", "begin"),
    ];
    this.rate = choice({
      name: "learning rate", options: settings.rates.map(String), value: model.get("rate"),
      onInput: (place) => {
        this.kernel.tell("rate", place);
        page.run(() => this.drive("rate"));
      },
    });
    page.row(this.prompt);
    page.row(this.step, this.play, this.layer, this.head);
    if (settings.live) page.row(this.rate, ...this.buttons, this.show);
    this.title = make("div", { class: "gptlib-caption" });
    this.caption = make("div", {});
    this.chart = chart({ height: 12.5, onPick: (x) => this.pick(x) });
    this.heat = heatmap();
    const right = make("div", {}, this.caption, this.heat.root);
    const both = make("div", { class: "gptlib-beside-each-other" }, this.chart.root, right);
    this.bars = bars({ most: 7 });
    page.picture.append(this.title, both, this.bars.root);
    this.player = player({
      step: () => this.next(), seconds: () => PLAY,
      onChange: (playing) => {
        this.play.name = playing ? "Pause" : "Play";
        page.picture.classList.toggle("gptlib-racing", playing);
      },
    });
    needsKernel(page, this.prompt, this.rate, ...this.buttons);
    model.on("change:step", () => {
      this.step.value = model.get("step");
      redraw();
    });
  }

  toggle() {
    if (this.player.playing) return this.player.stop();
    this.show.value = 0;
    this.started = this.step.value < this.settings.steps.length - 1;
    if (!this.started) this.step.value = 0; // from the end it begins anew
    this.player.start();
  }

  /** One recorded step further; whether there is another. */
  next() {
    const last = this.settings.steps.length - 1;
    if (this.started) this.step.value = Math.min(last, this.step.value + 1);
    this.started = true;
    this.paint();
    return this.step.value < last;
  }

  /** The recorded step nearest to a place of the chart. */
  pick(x) {
    if (this.isLive) return;
    this.player.stop();
    const far = (step) => Math.abs(Math.log1p(step) - Math.log1p(x));
    const { steps } = this.settings;
    this.step.value = steps.indexOf(steps.reduce((a, b) => (far(b) < far(a) ? b : a)));
    this.kernel.tell("step", this.step.value);
    this.repaint();
  }

  /** Have Python do something with the live run. */
  async drive(action) {
    await this.frame.waitFor(this.kernel.ask("live", { action, rate: this.rate.value }));
    if (action === "start" || action === "begin") {
      this.player.stop();
      this.show.value = 1;
    }
    this.frame.trouble("");
    this.repaint();
  }

  /** Ask for the prompt that is typed. */
  async askPrompt() {
    const answer = this.kernel.ask("prompt", { prompt: this.prompt.value });
    const seen = await this.frame.waitFor(answer).catch((error) => {
      this.player.stop(); // the picture is of another prompt
      throw error;
    });
    this.take(seen, seen.buffers);
  }

  take(seen, [weights]) {
    this.seen = seen; // {tokens, names, frames: [[p, ...]], truth, kl, text}
    this.weights = floats(weights); // (steps, L, nh, T, T)
  }

  hear(news, [weights]) {
    this.live = { ...news, weights: floats(weights) };
    if (news.error) this.frame.trouble(news.error);
    if (this.isLive) this.repaint();
  }

  // ---- What is shown ----

  get isLive() {
    return this.show.value === 1;
  }

  /** {probs, weights (L, nh, T, T), names, title} of what is shown. */
  moment() {
    const { settings, seen } = this;
    const size = this.weights.length / settings.steps.length;
    const at = this.isLive ? 0 : this.step.value;
    const recorded = { probs: seen.frames[at], weights: this.weights.subarray(at * size, (at + 1) * size) };
    if (!this.isLive) return { ...recorded, title: this.recordedTitle(at) };
    if (!this.live || this.live.text !== seen.text)
      return { ...recorded, title: this.live ? "Live run: waiting for news" : "Live run: press Start" };
    const { probs, weights, title, kl } = this.live;
    return { probs, weights, title: `${title}${this.far(kl)}` };
  }

  recordedTitle(at) {
    const { steps, held_out: losses } = this.settings;
    const loss = losses[at] === null ? "" : `, held-out loss ${two(losses[at])}`;
    return `Recorded run, step ${whole(steps[at])} of ${whole(steps.at(-1))}${loss}${this.far(this.seen.kl?.[at])}`;
  }

  far(kl) {
    if (kl !== undefined && kl !== null) return `, KL from the truth ${two(kl)}`;
    return this.settings.truth ? ", no truth for this prompt" : "";
  }

  rows({ probs }) {
    const { names, frames, truth } = this.seen;
    const end = frames.at(-1);
    return names.map((name, k) => ({
      name, now: probs[k], beside: end[k], truth: truth ? truth[k] : null,
    }));
  }

  paint() {
    const { seen, settings } = this;
    const now = this.moment();
    const [layer, head, T] = [this.layer.value, this.head.value, seen.tokens.length];
    const square = now.weights.subarray((layer * settings.n_head + head) * T * T);
    const weights = seen.tokens.map((_, t) => square.subarray(t * T, t * T + t + 1));
    const rows = this.rows(now);
    say(this.title, now.title);
    say(this.caption, `Layer ${layer}, head ${head}: rows look at columns`);
    const last = looks(weights.at(-1), seen.tokens);
    this.heat.update(weights, seen.tokens, `In layer ${layer}, head ${head}, “${seen.tokens.at(-1)}” looks ${last}.`);
    this.bars.update(rows, {
      columns: [this.isLive ? "live" : "now", "at the end", seen.truth && "truth", null],
      label: `After “${seen.text}”: ${spoken(rows)}.`,
    });
    this.chart.show(this.curve(now.title));
  }

  curve(label) {
    const { settings, live } = this;
    const { levels } = settings;
    if (!this.isLive)
      return {
        series: settings.curve, levels, log: true, xMax: settings.steps.at(-1), label,
        mark: settings.steps[this.step.value],
      };
    return { series: live?.curve ?? {}, levels, xMax: live?.of ?? 1, label };
  }
}

export default {
  render({ model, el }) {
    const training = new Training({ model, el });
    return () => {
      training.player.stop();
      training.chart.stop();
      training.frame.close();
    };
  },
};
