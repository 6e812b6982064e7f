// Lesson 08's explorer: a GPT's parameters by part, and what a token costs, from its shape alone.
// The counts are those of gptlib/widgets/gpt2.py; tests/widgets/test_gpt2.py holds them equal.

import { frame } from "./base.js";
import { button, choice, number } from "./controls.js";
import { make, put, say, set, style, whole } from "./dom.js";

const UNITS = [" ", " k", " M", " G", " T"];

/** How many parameters each part of a model of this shape has; the tied head counts once. */
export function parts({ layers, width, vocabulary, block }) {
  return {
    tokens: vocabulary * width,
    positions: block * width,
    attention: layers * (4 * width * width + 4 * width),
    feedforward: layers * (8 * width * width + 5 * width),
    norms: (2 * layers + 1) * 2 * width,
  };
}

/** What the next token costs when a cache holds so many tokens: bytes, FLOPs, seconds. */
export function costs(shape, cached, stored, bandwidth) {
  const total = Object.values(parts(shape)).reduce((sum, count) => sum + count, 0);
  const weights = total * stored;
  const numbers = 2 * shape.layers * shape.width * cached; // a key and a value in each layer
  const cache = numbers * stored;
  return { weights, cache, flops: 2 * (total + numbers), seconds: (weights + cache) / bandwidth };
}

/** Three digits and a prefix: "498 MB". */
export function inUnits(value, unit) {
  let power = 0;
  while (value >= 999.5 && power < UNITS.length - 1) {
    value /= 1000;
    power++;
  }
  return `${three(value)}${UNITS[power]}${unit}`;
}

/** Three digits, written out: 38,400 or 0.0123. */
export function three(value) {
  return value.toLocaleString("en-US", { maximumSignificantDigits: 3 });
}

/** The costs in sentences. */
export function said(shape, cached, stored, bandwidth) {
  const { weights, cache, flops, seconds } = costs(shape, cached, stored, bandwidth);
  const more = ((100 * cache) / weights).toFixed(1);
  return [
    `Memory: weights ${inUnits(weights, "B")}, cache of ${whole(cached)} tokens ` +
      `${inUnits(cache, "B")} (${more}% more).`,
    `The next token: ${inUnits(flops, "FLOPs")}, and ` +
      `${three(1000 * seconds)} ms to read both (${three((1000 * weights) / bandwidth)} ms for the weights).`,
    `So at most ${three(1 / seconds)} tokens per second.`,
  ];
}

const CSS = `
.gptlib-parts { display: grid; grid-template-columns: 7em 1fr max-content 4em; gap: .2em .8em;
  align-items: center; }
.gptlib-parts > .gptlib-right { text-align: right; }
.gptlib-size-part { height: 1.1em; }
@container (max-width: 36em) {
  .gptlib-parts { grid-template-columns: 5.6em max-content 1fr; column-gap: .5em; }
  .gptlib-size-part { display: none; }
}
`;

class Sizes {
  constructor({ model, el }) {
    this.model = model;
    this.settings = model.get("settings"); // {shapes, stored}
    this.frame = frame({ model, el, name: "Size explorer", css: CSS });
    this.build();
    this.paint();
  }

  build() {
    const { frame: page, model, settings } = this;
    const own = (trait, more) =>
      number({
        value: model.get(trait), onInput: () => this.paint(),
        onDone: (value) => page.kernel.tell(trait, value),
        onWrong: (words) => page.trouble(words), ...more,
      });
    this.numbers = {
      layers: own("layers", { name: "layers", min: 1, max: 96 }),
      width: own("width", { name: "width", min: 32, max: 12_288, step: 32 }),
      vocabulary: own("vocabulary", { name: "vocabulary", min: 2, max: 200_000 }),
      cached: own("cached", { name: "cached", min: 0, max: model.get("block") }),
      bandwidth: own("bandwidth", { name: "GB per second", min: 1, max: 4000 }),
    };
    this.stored = choice({
      name: "each number in", options: settings.stored.map(([words]) => words),
      value: settings.stored.findIndex(([, bytes]) => bytes === model.get("stored")),
      onInput: (place) => {
        page.kernel.tell("stored", settings.stored[place][1]);
        this.paint();
      },
    });
    const names = Object.keys(settings.shapes);
    this.buttons = names.map((name) =>
      button({ name, hint: `the shape of ${name}`, onClick: () => this.take(name) }));
    page.row(...this.buttons, this.stored);
    page.row(...Object.values(this.numbers));
    this.block = model.get("block");
    this.title = make("div", { class: "gptlib-title" });
    style(this.title, { "font-weight": 600, margin: ".2em 0 .4em" });
    this.bars = make("div", { class: "gptlib-parts", role: "img" });
    this.words = make("div", { role: "status" });
    style(this.words, { "margin-top": ".7em" });
    page.picture.append(this.title, this.bars, this.words);
    for (const [trait, control] of Object.entries(this.numbers))
      model.on(`change:${trait}`, () => {
        control.value = model.get(trait);
        this.paint();
      });
    model.on("change:block", () => this.resize(model.get("block")));
  }

  take(name) {
    const { layers, width, vocabulary, block } = this.settings.shapes[name];
    this.resize(block);
    for (const [trait, value] of Object.entries({ layers, width, vocabulary, block })) {
      if (this.numbers[trait]) this.numbers[trait].value = value;
      this.frame.kernel.tell(trait, value);
    }
    this.paint();
  }

  /** Another context: a cache holds no more tokens than that. */
  resize(block) {
    const { cached } = this.numbers;
    this.block = block;
    cached.setMax(block);
    if (cached.value > block) {
      cached.value = block;
      this.frame.kernel.tell("cached", block);
    }
    this.paint();
  }

  get shape() {
    const { layers, width, vocabulary } = this.numbers;
    return { layers: layers.value, width: width.value, vocabulary: vocabulary.value, block: this.block };
  }

  paint() {
    this.frame.trouble("");
    const { shape, numbers } = this;
    const counted = parts(shape);
    const total = Object.values(counted).reduce((sum, count) => sum + count, 0);
    const title =
      `${whole(total)} parameters: ${shape.layers} layers, width ${whole(shape.width)}`;
    say(this.title, title);
    const cells = Object.entries(counted).flatMap(([name, count]) => [
      make("span", { class: "gptlib-right" }, name),
      style(make("div", { class: "gptlib-fill gptlib-size-part" }),
        { width: `${Math.max(0.3, (100 * count) / total)}%` }),
      make("span", { class: "gptlib-right" }, whole(count)),
      make("span", { class: "gptlib-right" }, `${((100 * count) / total).toFixed(1)}%`),
    ]);
    put(this.bars, ...cells);
    const listed = Object.entries(counted).map(([name, count]) => `${name} ${whole(count)}`);
    set(this.bars, { "aria-label": `${title}. ${listed.join(", ")}.` });
    const stored = this.settings.stored[this.stored.value][1];
    const lines = said(shape, numbers.cached.value, stored, 1e9 * numbers.bandwidth.value);
    put(this.words, ...lines.map((line) => make("div", {}, line)));
    Object.entries(this.settings.shapes).forEach(([, known], k) => {
      const same = Object.keys(shape).every((key) => known[key] === shape[key]);
      this.buttons[k].pressed = same;
    });
  }
}

export default {
  render({ model, el }) {
    const sizes = new Sizes({ model, el });
    return () => sizes.frame.close();
  },
};
