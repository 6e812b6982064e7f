// The whole machine, alive: a sentence goes from text to tokens to vectors through the layers to
// probabilities, and back as the next token. Everything is computed here.

import { frame, motion, player } from "./base.js";
import { button, choice, line } from "./controls.js";
import { make, put, say, set, unseen } from "./dom.js";
import { loadModel, loadTokenizer } from "./kernel.js";
import { Stream, draw, softmax } from "./sampling.js";
import { DETAIL, SMALL, STATIONS, STATIONS_CSS, needs, open } from "./stations.js";
import { COLOURS } from "./style.js";
import { VECTOR_CSS } from "./vectors.js";

const LONGEST = 48; // tokens of a prompt
const RUN = 40; // tokens, at most, for one press of Play
const TRAVEL = 0.7; // seconds that a token takes back to the text
const TRAINS = "adjusts the numbers from embeddings to logits"; // as ../machine.py says it
const PACES = [["slow", 1.5], ["medium", 0.6], ["fast", 0.12]];

const CSS = `
.gptlib-map { display: grid; grid-template-columns: repeat(7, minmax(min-content, 1fr)); gap: .3em .9em; }
.gptlib-live button.gptlib-card { display: flex; flex-direction: column; align-items: stretch;
  text-align: left; white-space: normal; padding: .2em .35em; min-height: 8.2em; position: relative;
  background: ${COLOURS.PAPER}; justify-content: flex-start; overflow: visible; border-radius: 6px;
  max-width: none; }
.gptlib-card > .gptlib-title { font-weight: 600; text-align: center; margin: 0 -.3em .2em; }
.gptlib-card + .gptlib-card::before { content: "▸"; position: absolute; left: -1em; top: 45%;
  color: ${COLOURS.FAINT}; }
.gptlib-live button.gptlib-card.gptlib-lit { border: 2px solid ${COLOURS.ORANGE}; margin: -1px;
  background: color-mix(in srgb, ${COLOURS.ORANGE} 8%, ${COLOURS.PAPER}); }
.gptlib-card.gptlib-lit::before { color: ${COLOURS.ORANGE}; }
.gptlib-inside { display: flex; flex-direction: column; height: 6em; overflow: hidden;
  font-weight: 400; contain: inline-size; /* only its title makes a card wider */ }
.gptlib-loop { display: flex; gap: 1em; align-items: center; margin: .4em 0 .5em; min-height: 2em;
  border: 1.5px solid ${COLOURS.GRID}; border-top: none; border-radius: 0 0 8px 8px;
  padding: .3em .6em; position: relative; overflow: hidden; }
.gptlib-loop > .gptlib-chip { flex: none; border: 2px solid ${COLOURS.ORANGE}; border-radius: 1em;
  padding: 0 .6em; }
.gptlib-detail { min-height: 13em; }
.gptlib-detail-title { font-weight: 600; }
@container (max-width: 44em) {
  .gptlib-map { grid-template-columns: repeat(auto-fill, minmax(7.5em, 1fr)); }
}
`;

class Machine {
  constructor({ model, el }, gpt, tokenizer) {
    Object.assign(this, { model, gpt, tokenizer, words: [], stage: -1, layer: 0, place: null });
    this.settings = model.get("settings");
    this.frame = frame({ model, el, name: "The whole machine", css: CSS + VECTOR_CSS + STATIONS_CSS });
    this.stream = new Stream(model.get("seed"));
    this.stages = ["text", "tokenizer", "embeddings"].map((station) => ({ station }));
    for (let layer = 0; layer < gpt.config.nLayer; layer++)
      this.stages.push({ station: "attention", layer }, { station: "feedforward", layer });
    this.stages.push({ station: "logits" }, { station: "sampling" });
    this.opened = model.get("station");
    this.build();
    this.listen();
    this.refresh();
  }

  // ---- Controls and the map ----

  build() {
    const { frame: page, model } = this;
    const press = (name, hint, action) =>
      button({ name, hint, onClick: () => page.run(() => action.call(this)) });
    this.prompt = line({
      name: "text", value: model.get("prompt"),
      onInput: () => this.begin(), onDone: (text) => page.kernel.tell("prompt", text),
    });
    this.buttons = {
      step: press("Step", "on to the next station", this.stepByHand),
      play: press("Play", "on and on, until the stop token", this.toggle),
      token: press("Next token", "the whole way round at once", this.round),
      reset: press("Reset", "back to the text that was typed", this.begin),
    };
    this.pace = choice({ name: "speed", options: PACES.map(([words]) => words), value: 1 });
    const { step, play, token, reset } = this.buttons;
    page.row(this.prompt);
    page.row(step, play, this.pace, token, reset);
    this.player = player({
      step: () => page.run(() => this.playOn()),
      seconds: () => PACES[this.pace.value][1],
      onChange: (playing) => (play.name = playing ? "Pause" : "Play"),
    });
    this.cards = Object.fromEntries(STATIONS.map((station) => [station, this.card(station)]));
    const map = make(
      "div", { class: "gptlib-map", role: "group", "aria-label": "The stations: choose one to open it" },
      ...STATIONS.map((station) => this.cards[station].root),
    );
    this.training = press("training", "what training has adjusted", () => this.show("training"));
    // What is seen leans on the button or the token beside it; what is heard is a whole sentence.
    this.chip = make("span", { class: "gptlib-chip gptlib-code", "aria-hidden": "true" });
    this.loop = make("span", { "aria-hidden": "true" });
    this.heard = set(unseen(), { role: "status" });
    const loop = make(
      "div", { class: "gptlib-loop" }, this.training.root, this.chip, this.loop, this.heard,
    );
    this.title = make("div", { class: "gptlib-detail-title" });
    this.detail = make("div", { class: "gptlib-detail" });
    page.picture.append(map, loop, this.title, this.detail);
  }

  card(station) {
    const inside = make("span", { class: "gptlib-inside", "aria-hidden": "true" });
    const root = make("button", {
      type: "button", class: "gptlib-card", "aria-label": station,
      on: { click: () => this.show(station) },
    }, make("span", { class: "gptlib-title" }, station), inside);
    return { root, inside };
  }

  listen() {
    this.model.on("change:prompt", () => {
      if (this.prompt.value === this.model.get("prompt")) return;
      this.prompt.value = this.model.get("prompt");
      this.begin();
    });
    this.model.on("change:station", () => this.show(this.model.get("station")));
  }

  show(station) {
    this.opened = station;
    this.frame.kernel.tell("station", station);
    this.refresh();
  }

  // ---- The way round ----

  get ids() {
    const ids = this.tokenizer.encode(this.prompt.value, { allowSpecial: true });
    if (!ids.length) throw new Error("type some text");
    if (ids.length > LONGEST)
      throw new Error(`${ids.length} tokens are too many to show: ${LONGEST} at most`);
    return [...ids, ...this.words.map(({ id }) => id)];
  }

  get stopped() {
    return this.words.length > 0 && this.words.at(-1).id === this.tokenizer.eosId;
  }

  stepByHand() {
    this.player.stop();
    this.advance();
  }

  /** One station further; from the last, the token that was drawn joins the text. */
  advance() {
    void this.ids; // a text that cannot be read is said so, and nothing is drawn after it
    if (this.stopped)
      return this.frame.note("The text has ended: the stop token was drawn. Reset begins again.");
    if (this.stage === this.stages.length - 1) {
      this.words.push(this.pick());
      this.frame.kernel.tell("drawn", this.words.map(({ id }) => id));
      this.stage = 0;
      this.joined = true;
      this.place = null;
    } else {
      this.stage++;
      this.joined = false;
    }
    const { station, layer } = this.stages[this.stage];
    this.layer = layer ?? this.layer;
    this.opened = station;
    this.refresh();
    if (this.joined) this.travel();
  }

  /** The token that was drawn goes back to the text: each anew, so that this is no class. */
  travel() {
    const timing = { duration: 1000 * motion(TRAVEL), easing: "ease-in-out" };
    for (const running of this.chip.getAnimations()) running.cancel();
    this.chip.animate([{ transform: "translateX(30em)", opacity: 0 }, {}], timing);
  }

  playOn() {
    this.advance();
    return !this.stopped && (this.stage || --this.left > 0);
  }

  toggle() {
    if (this.player.playing) return this.player.stop();
    if (this.stopped) return this.advance();
    this.left = RUN;
    this.player.start();
  }

  /** The rest of the way, to the next token, and leave open what is open. */
  round() {
    this.player.stop();
    const { opened } = this;
    do this.advance();
    while (!this.joined && !this.stopped);
    this.opened = opened;
    this.refresh();
  }

  begin() {
    this.player.stop();
    Object.assign(this, { words: [], stage: -1, layer: 0, joined: false, place: null });
    this.frame.kernel.tell("drawn", []);
    this.refresh();
  }

  pick() {
    const u = this.stream.at(this.words.length);
    const { probs } = this.view;
    const id = draw(probs, u);
    return { id, u, p: probs[id] };
  }

  // ---- What is shown ----

  refresh() {
    this.frame.run(() => {
      this.look();
      if (!this.stopped) this.frame.trouble("");
      this.paint();
    });
  }

  /** What the stations show of this moment. */
  look() {
    const all = this.ids;
    const ids = all.slice(-this.gpt.config.blockSize);
    const trace = this.gpt.trace(ids);
    const logits = trace.logits();
    const losses = () => ids.slice(1).map((id, k) => ({ place: k + 1, p: softmax(trace.logits(k))[id] }));
    const place = Math.min(this.place ?? ids.length - 1, ids.length - 1);
    this.view = {
      ids, trace, logits, losses, place, layer: this.layer, settings: this.settings,
      text: this.tokenizer.decode(all), probs: softmax(logits), drawn: null,
      ended: all.at(-1) === this.tokenizer.eosId,
      name: (id) => this.tokenizer.tokenStr(id),
      choose: (chosen) => {
        this.place = chosen;
        this.refresh();
      },
      chooseLayer: (layer) => {
        this.layer = layer;
        this.refresh();
      },
    };
    if (this.stage === this.stages.length - 1) this.view.drawn = this.pick();
  }

  paint() {
    const { view, stage } = this;
    const now = stage < 0 ? null : this.stages[stage].station;
    const far = stage < 0 ? STATIONS.length : this.farthest(stage);
    STATIONS.forEach((station, k) => {
      const { root, inside } = this.cards[station];
      root.classList.toggle("gptlib-lit", station === now);
      set(root, {
        "aria-pressed": String(station === this.opened),
        "aria-current": station === now ? "step" : null,
        "aria-label": station === now ? this.layered(station) : station,
        title: `open ${station}`,
      });
      this.paintSmall(station, k <= far);
      inside.classList.toggle("gptlib-appears", station === now);
    });
    set(this.training.root, { "aria-pressed": String(this.opened === "training") });
    this.paintLoop(now);
    this.title.textContent = this.layered(this.opened);
    open(this.detail, this.opened in DETAIL ? this.opened : "text", view);
  }

  /** The small picture of a station that the text has reached. */
  paintSmall(station, reached) {
    const card = this.cards[station];
    const now = reached ? needs(station, this.view) : [];
    if (now.length === card.needs?.length && now.every((part, k) => part === card.needs[k])) return;
    card.needs = now;
    put(card.inside, ...(reached ? SMALL[station](this.view) : []));
  }

  /** The name of a station, with the layer where there are several. */
  layered(station) {
    return station === "attention" || station === "feedforward"
      ? `${station}, layer ${this.layer}` : station;
  }

  /** The last station that the text has reached on this round. */
  farthest(stage) {
    return Math.max(...this.stages.slice(0, stage + 1).map(({ station }) => STATIONS.indexOf(station)));
  }

  paintLoop(now) {
    const last = this.joined ? this.words.at(-1) : this.view.drawn;
    this.chip.hidden = !last;
    this.chip.textContent = last ? this.view.name(last.id) : "";
    let [subject, words] = ["Training", `${TRAINS}. Press Step to follow the text.`];
    if (last) subject = `“${this.view.name(last.id)}”`;
    if (this.stopped) words = "is the stop token: the text has ended.";
    else if (this.joined) words = "has joined the text, and round it goes again.";
    else if (now === "sampling") words = "was drawn, and will join the text.";
    else if (now) [subject, words] = ["", `Now: ${this.layered(now)}.`];
    say(this.loop, words);
    say(this.heard, `${subject} ${words}`.trim());
  }
}

export default {
  async render({ model, el }) {
    const [gpt, tokenizer] = await Promise.all([loadModel(model), loadTokenizer(model)]);
    const machine = new Machine({ model, el }, gpt, tokenizer);
    return () => {
      machine.player.stop();
      machine.frame.close();
    };
  },
};
