// A head's output, exchanged between two places of a sentence or between two sentences; and what
// the model then says comes next.

import { bars, spoken } from "./bars.js";
import { button, choice, line } from "./controls.js";
import { chance, make, say, style } from "./dom.js";
import { ranking, softmax } from "./sampling.js";

const ROWS = 3;

/**
 * {before: [logits, ...], after: [logits, ...]} of one sentence, or of two.
 *
 * first: ids. second: ids, or null: the same sentence. Head `head` of `layer` puts out at place `at`
 * of the first what it puts out at place `beside` of the second, and the other way round.
 */
export function exchanged(gpt, first, second, { layer, head, at, beside }) {
  const { nEmbd: width, headSize: size } = gpt.config;
  const output = (trace, place) => {
    const from = place * width + head * size;
    return trace.layers[layer].heads.slice(from, from + size);
  };
  const run = (ids, given) => {
    const patch = (l, h, place, out) => {
      if (l === layer && h === head && given.has(place)) out.set(given.get(place));
    };
    return gpt.trace(ids, { patch }).logits();
  };
  const one = gpt.trace(first);
  const two = second ? gpt.trace(second) : one;
  const [mine, others] = [output(one, at), output(two, beside)];
  if (!second)
    return { before: [one.logits()], after: [run(first, new Map([[at, others], [beside, mine]]))] };
  return {
    before: [one.logits(), two.logits()],
    after: [run(first, new Map([[at, others]])), run(second, new Map([[beside, mine]]))],
  };
}

/**
 * The panel. state: {other, at, beside, on}. onChange(): the state is another. name(id).
 *
 * update({names, others, changed}, said): others: the names of the second sentence, or null.
 * changed: whether mask or scale are ticked unlike the model's own.
 * said: {before, after}, as `exchanged` gives them, or null while it is not known.
 */
export function exchangePanel({ state, name, onChange, onOther }) {
  const other = line({
    name: "second sentence", value: state.other,
    onInput: (text) => {
      state.other = text;
      onChange(true);
    },
    onDone: onOther,
  });
  const places = (key, words) =>
    choice({ name: words, options: [""], onInput: (place) => {
      state[key] = place;
      onChange();
    } });
  const at = places("at", "at");
  const beside = places("beside", "with");
  const swap = button({ name: "Exchange", onClick: () => {
    state.on = !state.on;
    onChange();
  } });
  const answer = make("p", { role: "status" });
  const picture = bars({ most: ROWS + 1 });
  const note = make("p", { role: "status" });
  const row = (...all) => make("div", { class: "gptlib-row" }, ...all.map((item) => item.root));
  const root = make("div", { class: "gptlib-exchange" },
    row(at, beside, swap), row(other), answer, picture.root, note);
  let listed = "";

  return {
    root,
    other,
    controls: [at, beside, swap, other],
    update({ names, others, changed }, said) {
      const lists = JSON.stringify([names, others]);
      if (lists !== listed) {
        const numbered = (all) => all.map((words, place) => `${place}: ${words}`);
        at.relabel(numbered(names), state.at);
        beside.relabel(numbered(others ?? names), state.beside);
        listed = lists;
      }
      at.value = state.at;
      beside.value = state.beside;
      swap.pressed = state.on;
      style(picture.root, { display: said ? "" : "none" });
      say(note, changed ? "The ticks of mask and scale change nothing here." : "");
      if (!said) return say(answer, "");
      const [before, after] = [said.before, said.after].map((all) => all.map(softmax));
      say(answer, before.map((probs, k) => {
        const which = before.length === 1 ? "Next" : ["Next in the first (the bars)", "In the second"][k];
        return `${which}: ${best(probs)}${state.on ? `, now ${best(after[k])}` : ""}.`;
      }).join(" "));
      const rows = barsOf(before[0], after[0], state.on, name);
      picture.update(rows, {
        columns: [state.on ? "exchanged" : "as it is", state.on && "before", null, null],
        label: `${state.on ? "Exchanged" : "As it is"}: ${spoken(rows)}.`,
      });
    },
  };

  function best(probs) {
    const [id] = ranking(probs);
    return `${name(id)} ${chance(probs[id])}`;
  }
}

/** Rows for the likeliest words before and after, and for all others together. */
function barsOf(before, after, on, name) {
  const found = [];
  for (const id of [ranking(before), ranking(after)].flatMap((order) => order.slice(0, ROWS)))
    if (!found.includes(id)) found.push(id);
  const most = (id) => Math.max(before[id], after[id]);
  const shown = found.sort((a, b) => most(b) - most(a) || a - b).slice(0, ROWS);
  const now = on ? after : before;
  const rest = (probs) => Math.max(0, shown.reduce((left, id) => left - probs[id], 1));
  const rows = shown.map((id) => ({ name: name(id), now: now[id], beside: on ? before[id] : null }));
  rows.push({ name: "all others", now: rest(now), beside: on ? rest(before) : null });
  return rows;
}

export const EXCHANGE_CSS = `
.gptlib-exchange .gptlib-ticks { display: none; }
.gptlib-exchange > p { margin: 0; }
.gptlib-exchange > .gptlib-row { margin-bottom: .15em; }
.gptlib-exchange > p:first-of-type { min-height: 1.35em; }
.gptlib-exchange select { max-width: 9em; }
@media (prefers-reduced-motion: no-preference) {
  .gptlib-exchange .gptlib-fill { transition: width .5s ease-in-out; }
}
`;
