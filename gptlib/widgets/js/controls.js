// Controls that every explorer is made of. Each has a name that a screen reader says, `root` to put
// into the page, and `value`; setting `value` from outside moves the control and tells nobody.

import { make, say, set, writable } from "./dom.js";

/**
 * A slider with a number box beside it, always equal.
 *
 * onInput(value): while it moves. onWrong(words): the box holds no number of the range.
 * onDone(value): once it stands, such as when the mouse lets go.
 */
export function number({ name, value, min, max, step = 1, onInput, onDone, onWrong }) {
  const slider = make("input", { type: "range", min, max, step, "aria-label": name });
  const box = make("input", { type: "number", min, max, step, "aria-label": name });
  const label = make("span", { "aria-hidden": "true" }, name);
  const root = make("div", { class: "gptlib-number" }, label, slider, box);
  const control = {
    root, slider, box, min, max,
    get value() {
      return value;
    },
    set value(next) {
      value = next;
      slider.value = box.value = String(Number(next.toFixed(9)));
    },
    set disabled(off) {
      slider.disabled = box.disabled = off;
    },
    setMax(next) {
      control.max = next;
      set(slider, { max: next });
      set(box, { max: next });
    },
  };
  const take = (next) => {
    value = next;
    onInput?.(value);
  };
  slider.addEventListener("input", () => {
    box.value = String(Number(slider.valueAsNumber.toFixed(9)));
    take(Number(box.value));
  });
  box.addEventListener("input", () => {
    const typed = box.valueAsNumber;
    const whole = Number.isInteger(step) && Number.isInteger(min);
    if (!(typed >= control.min && typed <= control.max) || (whole && !Number.isInteger(typed))) {
      const kind = whole ? "a whole number" : "a number";
      onWrong?.(`${name}: type ${kind} from ${control.min} to ${control.max}`);
      return;
    }
    slider.value = String(typed);
    take(typed);
  });
  box.addEventListener("blur", () => {
    if (box.valueAsNumber !== value) {
      control.value = value; // what cannot be is not left standing
      onInput?.(value);
    }
  });
  for (const input of [slider, box]) input.addEventListener("change", () => onDone?.(value));
  control.value = value;
  return control;
}

/** A button; `hint` is what a mouse at rest is shown. */
export function button({ name, hint = name, onClick }) {
  const root = make("button", { type: "button", title: hint, on: { click: onClick } }, name);
  return {
    root,
    set name(words) {
      say(root, words);
    },
    get name() {
      return root.textContent;
    },
    set disabled(off) {
      root.disabled = off;
    },
    get disabled() {
      return root.disabled;
    },
    set pressed(on) {
      set(root, { "aria-pressed": String(on) });
    },
  };
}

/** A line of text; onInput(text) at each letter. */
export function line({ name, value, onInput, onDone }) {
  const input = make("input", { type: "text", spellcheck: "false", autocomplete: "off" });
  input.value = writable(value);
  input.addEventListener("input", () => onInput?.(input.value));
  input.addEventListener("change", () => onDone?.(input.value));
  return {
    root: make("label", { class: "gptlib-line" }, make("span", {}, name), input),
    input,
    get value() {
      return input.value;
    },
    set value(text) {
      if (input.value !== text) input.value = writable(text);
    },
    set disabled(off) {
      input.disabled = off;
    },
  };
}

/** A short list; options: [words, ...], value: the place of the one that is chosen. */
export function choice({ name, options, value = 0, onInput }) {
  const list = make("select", { "aria-label": name });
  const control = {
    root: make("div", { class: "gptlib-number" }, make("span", { "aria-hidden": "true" }, name), list),
    list,
    get value() {
      return list.selectedIndex;
    },
    set value(place) {
      list.selectedIndex = place;
    },
    set disabled(off) {
      list.disabled = off;
    },
    /** Other things to choose from. */
    relabel(words, place = 0) {
      list.replaceChildren(...words.map((word) => make("option", {}, word)));
      list.selectedIndex = place;
    },
  };
  control.relabel(options, value);
  list.addEventListener("change", () => onInput?.(list.selectedIndex));
  return control;
}

/** A box to tick. */
export function tick({ name, value = false, hint = name, onInput }) {
  const box = make("input", { type: "checkbox" });
  box.checked = value;
  box.addEventListener("change", () => onInput?.(box.checked));
  return {
    root: make("label", { title: hint }, box, make("span", {}, name)),
    get value() {
      return box.checked;
    },
    set value(on) {
      box.checked = on;
    },
    set disabled(off) {
      box.disabled = off;
    },
  };
}

/** One of several in an order: a slider to run through them, and a list of their names. */
export function picker({ name, options, value = 0, onInput, onDone }) {
  const slider = make("input", { type: "range", min: 0, step: 1, "aria-label": name });
  const list = make("select", { "aria-label": name });
  const label = make("span", { "aria-hidden": "true" }, name);
  const control = {
    root: make("div", { class: "gptlib-number" }, label, slider, list),
    slider, list,
    get value() {
      return list.selectedIndex;
    },
    set value(place) {
      list.selectedIndex = place;
      slider.value = String(place);
      set(slider, { "aria-valuetext": list.options[place]?.textContent ?? "" });
    },
    set disabled(off) {
      slider.disabled = list.disabled = off || list.options.length < 2;
    },
    relabel(words, place = 0) {
      list.replaceChildren(...words.map((word) => make("option", {}, word)));
      set(slider, { max: Math.max(1, words.length - 1) });
      control.disabled = false;
      control.value = place;
    },
  };
  const take = (place) => {
    control.value = Math.min(place, list.options.length - 1);
    onInput?.(control.value);
  };
  slider.addEventListener("input", () => take(slider.valueAsNumber));
  list.addEventListener("change", () => take(list.selectedIndex));
  for (const input of [slider, list]) input.addEventListener("change", () => onDone?.(control.value));
  control.relabel(options, value);
  return control;
}
