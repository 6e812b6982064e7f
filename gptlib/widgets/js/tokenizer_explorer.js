// Lesson 01's explorer: a text as bytes, fused merge by merge into tokens, all of it in the page.
// Asked of Python: the second tokenizer, GPT-2's, which is large and sent only if it is wanted.

import { frame, onceAFrame, player } from "./base.js";
import { cutAt, merge, split } from "./bpe.js";
import { button, line, number, tick } from "./controls.js";
import { make, put, say, two, whole } from "./dom.js";
import { GONE, loadTokenizer } from "./kernel.js";
import { spelled, tokenBoxes, tokensSaid } from "./token_boxes.js";

const LONGEST = 192; // bytes of a text
const PACE = 1; // seconds from one fusion to the next
const utf8 = new TextEncoder();

const CSS = `
.gptlib-characters { display: flex; flex-flow: row wrap; gap: .3em .8em; align-items: center; }
.gptlib-characters > * { border-left: 3px solid currentColor; padding-left: .4em; }
.gptlib-held { text-decoration: underline; font-weight: 600; }
.gptlib-two-lines { min-height: 2.7em; }
.gptlib-says { font-weight: 600; }
`;

/**
 * All states that a text goes through, from bytes (merge -1) to its tokens: [{merge, pieces}].
 *
 * A merge can only bring about pairs that are learned later, so the merges that change the text
 * come in the order learned, and a state stands from its merge to the next.
 */
export function fusions(tokenizer, text, special = false) {
  const names = special ? Object.keys(tokenizer.special) : [];
  let pieces = [];
  cutAt(text, names).forEach((part, place) => {
    if (place % 2) pieces.push([tokenizer.special[part]]);
    else
      for (const piece of split(part))
        pieces.push(Array.from(utf8.encode(piece), (byte) => tokenizer.byteIds[byte]));
  });
  const states = [{ merge: -1, pieces }];
  for (;;) {
    let first = Infinity;
    for (const ids of pieces)
      for (let i = 0; i + 1 < ids.length; i++)
        first = Math.min(first, tokenizer.newIds.get(`${ids[i]} ${ids[i + 1]}`) ?? Infinity);
    if (first === Infinity) return states;
    pieces = pieces.map((ids) => merge(ids, tokenizer.merges[first - 256], first));
    states.push({ merge: first - 256, pieces });
  }
}

/** The characters that have bytes from `start` to `end` of a text: [{character, start, bytes}]. */
export function charactersIn(text, start, end) {
  const found = [];
  let at = 0;
  for (const character of text) {
    const bytes = [...utf8.encode(character)];
    if (at < end && at + bytes.length > start) found.push({ character, start: at, bytes });
    at += bytes.length;
  }
  return found;
}

const many = (count, word) => `${whole(count)} ${word}${count === 1 ? "" : "s"}`;

class TokenizerExplorer {
  constructor({ model, el }, tokenizer, beside) {
    Object.assign(this, { model, tokenizer, beside });
    this.frame = frame({ model, el, name: "Tokenizer explorer", css: CSS });
    this.kernel = this.frame.kernel;
    this.other = model.get("settings").beside; // what the second tokenizer is called
    this.picked = null; // {start, of}: the token that is open
    this.read = null; // "text special" that `states` belong to
    this.build();
    this.repaint = onceAFrame(() => this.frame.run(() => this.paint()));
    this.listen();
    this.repaint();
  }

  build() {
    const { frame: page, model } = this;
    const most = Math.max(1, this.tokenizer.merges.length); // a slider needs some way to go
    const touched = () => {
      this.player.stop();
      this.repaint();
    };
    this.text = line({
      name: "text", value: model.get("text"), onInput: touched,
      onDone: (text) => this.kernel.tell("text", text),
    });
    this.merges = number({
      name: "merges", value: model.get("merges"), min: 0, max: most, onInput: touched,
      onDone: (value) => this.kernel.tell("merges", value),
      onWrong: (words) => {
        this.player.stop(); // it would write over what is being typed
        page.trouble(words);
      },
    });
    this.special = tick({
      name: "special tokens", value: model.get("special"), hint: "read <|endoftext|> as one token",
      onInput: (on) => {
        this.kernel.tell("special", on);
        touched();
      },
    });
    this.both = tick({
      name: `compare with ${this.other}`, value: this.beside !== null,
      hint: `the same text with ${this.other}'s vocabulary`,
      onInput: () => page.run(() => this.compare()),
    });
    const press = (name, hint, action) =>
      button({ name, hint, onClick: () => page.run(() => action.call(this)) });
    const stopped = (action) => () => {
      this.player.stop();
      action.call(this);
    };
    this.play = press("Play", "fuse on and on; from the bytes, if all is fused", this.toggle);
    page.row(this.text);
    page.row(
      this.merges,
      press("Fuse back", "undo the last merge seen here", stopped(this.fuseBack)),
      press("Fuse on", "to the next merge seen here", stopped(this.fuseOn)),
      this.play, this.special, this.both,
    );
    this.player = player({
      step: () => page.run(() => this.fuseOn()) ?? false,
      seconds: () => PACE,
      onChange: (playing) => (this.play.name = playing ? "Pause" : "Play"),
    });
    this.count = make("div", { class: "gptlib-says" });
    this.last = make("div", { class: "gptlib-faint" });
    this.boxes = tokenBoxes({ onPick: (token) => this.pick(token, this.tokenizer) });
    this.otherCount = make("div", { class: "gptlib-says" });
    this.otherBoxes = tokenBoxes({
      bytes: false, onPick: (token) => this.pick(token, this.beside),
    });
    this.second = make("div", {}, this.otherCount, this.otherBoxes.root);
    this.detail = make("div", { class: "gptlib-two-lines", role: "status" });
    page.picture.append(this.count, this.last, this.boxes.root, this.second, this.detail);
  }

  listen() {
    for (const name of ["text", "merges", "special"])
      this.model.on(`change:${name}`, () => {
        if (this[name].value === this.model.get(name)) return;
        this[name].value = this.model.get(name);
        this.repaint();
      });
    this.model.on("change:shared_beside", () =>
      this.frame.run(async () => {
        this.beside = await loadTokenizer(this.model, "shared_beside");
        this.repaint();
      }),
    );
    this.kernel.watch((gone) => {
      if (this.beside) return; // all that is needed is here
      this.both.disabled = gone;
      if (gone) this.both.value = false;
      this.frame.lost(gone ? `${GONE} All but ${this.other}'s vocabulary goes on without it.` : "");
    });
  }

  /** Show the second tokenizer, or hide it; asked for once. */
  async compare() {
    if (this.both.value && !this.beside) {
      this.frame.note(`Reading ${this.other}'s vocabulary …`);
      await this.kernel.ask("beside");
    }
    this.repaint();
  }

  // ---- Where the text is on its way ----

  readStates() {
    const text = this.text.value;
    const size = utf8.encode(text).length;
    if (/\p{Surrogate}/u.test(text)) throw new Error("text: half of a character stands alone");
    if (!size) throw new Error("type some text");
    if (size > LONGEST)
      throw new Error(`${size} bytes are too many to show: ${LONGEST} at most`);
    const key = JSON.stringify([text, this.special.value]);
    if (this.read === key) return true;
    this.states = fusions(this.tokenizer, text, this.special.value);
    this.read = key;
    this.picked = null;
    return false;
  }

  get state() {
    return this.states.findLast(({ merge: place }) => place < this.merges.value);
  }

  /** Move the slider to the next merge that changes the text, or to the end; whether more follow. */
  fuseOn() {
    this.readStates();
    const later = this.states.filter(({ merge: place }) => place >= this.merges.value);
    this.slide(later.length ? later[0].merge + 1 : this.merges.max);
    return later.length > 1;
  }

  /** Move the slider to just before the last merge that changed the text. */
  fuseBack() {
    this.readStates();
    this.slide(Math.max(0, this.state.merge));
  }

  slide(to) {
    this.merges.value = to;
    this.kernel.tell("merges", to);
    this.repaint();
  }

  toggle() {
    if (this.player.playing) return this.player.stop();
    this.readStates();
    if (this.states.at(-1).merge < this.merges.value) this.slide(0);
    this.player.start();
  }

  pick(token, of) {
    const same = this.picked?.start === token.start && this.picked.of === of;
    this.picked = same ? null : { start: token.start, of };
    this.repaint();
  }

  // ---- What is shown ----

  tokens(of, pieces, fresh = null) {
    const special = new Set(Object.values(of.special));
    let start = 0;
    return pieces.flatMap((ids, piece) =>
      ids.map((id) => {
        const bytes = of.bytes[id];
        const token = {
          id, piece, start, bytes, name: of.tokenStr(id),
          special: special.has(id), fresh: id === fresh,
        };
        start += bytes.length;
        return token;
      }),
    );
  }

  paint() {
    const moving = this.readStates();
    this.frame.trouble("");
    const { state } = this;
    const last = state.merge >= 0 && this.merges.value === state.merge + 1;
    const fresh = last ? 256 + state.merge : null;
    const tokens = this.tokens(this.tokenizer, state.pieces, fresh);
    const text = this.text.value;
    const size = utf8.encode(text).length;
    const spread = `${many(Array.from(text).length, "character")}, ${many(size, "byte")}`;
    say(this.count, `${many(tokens.length, "token")} for ${spread}`);
    say(this.last, this.lastMerge(state));
    const label = `“${text}” after ${this.merges.value} merges: ${tokensSaid(tokens)}`;
    this.boxes.update(tokens, { label, picked: this.at(this.tokenizer), moving });
    const beside = this.both.value && this.beside;
    this.second.hidden = !beside;
    const others = beside ? this.paintSecond(size, moving) : [];
    const of = this.picked?.of === this.beside && beside ? others : tokens;
    this.explain(of, text);
  }

  /** The start of the token that is open, if it is one of this tokenizer's. */
  at(of) {
    return this.picked?.of === of ? this.picked.start : null;
  }

  paintSecond(size, moving) {
    const states = fusions(this.beside, this.text.value, this.special.value);
    const tokens = this.tokens(this.beside, states.at(-1).pieces);
    const [own, other] = [this.tokenizer, this.beside].map((of) => whole(of.vocabSize));
    say(
      this.otherCount,
      `${this.other}: ${many(tokens.length, "token")}, ${two(size / tokens.length)} bytes in each ` +
        `on average. Its vocabulary has ${other} tokens; the one above has ${own}.`,
    );
    const label = `With ${this.other}'s vocabulary: ${tokensSaid(tokens)}`;
    this.otherBoxes.update(tokens, { label, picked: this.at(this.beside), moving });
    return tokens;
  }

  lastMerge(state) {
    if (state.merge < 0) return "Bytes: no merge has changed this text yet.";
    const [left, right] = this.tokenizer.merges[state.merge];
    const [a, b, made] = [left, right, 256 + state.merge].map((id) => this.tokenizer.tokenStr(id));
    const place = this.states.indexOf(state);
    return (
      `Merge ${whole(state.merge + 1)}: ${a} + ${b} → ${made}, the last of ${place} ` +
      "that changed this text so far."
    );
  }

  /** What the token that is open is made of: its merge, its characters, their bytes. */
  explain(tokens, text) {
    const of = this.picked?.of;
    const token = of && tokens.findLast(({ start }) => start <= this.picked.start);
    if (!token) return say(this.detail, "Click a token to see its characters and their bytes.");
    const { name, id, special, bytes, start } = token;
    let made = "one of the 256 bytes, where all tokens begin.";
    if (special) made = "a special token: one id for the whole name, which no merge made.";
    else if (bytes.length > 1) {
      const place = id - 256;
      const [left, right] = of.merges[place].map((part) => of.tokenStr(part));
      made = `made by merge ${whole(place + 1)} of ${left} and ${right}.`;
    }
    const end = start + bytes.length;
    const cards = charactersIn(text, start, end).map((found) => this.card(found, start, end));
    const head = make("span", { class: "gptlib-code gptlib-says" }, name);
    const first = make("div", {}, head, ` (id ${id}): ${made}`);
    return put(this.detail, first, make("div", { class: "gptlib-characters" }, ...cards));
  }

  /** One character: its code point, and its bytes; those that the token holds are underlined. */
  card({ character, start: at, bytes }, start, end) {
    const code = character.codePointAt(0).toString(16).toUpperCase().padStart(4, "0");
    const ours = bytes.map((byte, k) => at + k >= start && at + k < end);
    const held = ours.filter(Boolean).length;
    const shown = bytes.flatMap((byte, k) => [
      " ", make("span", ours[k] ? { class: "gptlib-held" } : {}, spelled([byte])),
    ]);
    const part = held < bytes.length ? ` (${held} of its ${bytes.length} bytes)` : "";
    const seen = /[\p{L}\p{N}\p{P}\p{S}]/u.test(character) ? `${character} ` : "";
    return make("span", { class: "gptlib-code" }, `${seen}U+${code} =`, ...shown, part);
  }
}

export default {
  async render({ model, el }) {
    const [tokenizer, beside] = await Promise.all([
      loadTokenizer(model), loadTokenizer(model, "shared_beside"),
    ]);
    const explorer = new TokenizerExplorer({ model, el }, tokenizer, beside);
    return () => {
      explorer.player.stop();
      explorer.frame.close();
    };
  },
};
