// The reply to an answer, in the box of its question and where a prediction is compared.

import { make, put, set } from "./dom.js";

export const CSS = `
.gptlib-reply:not(:empty) { margin-top: .4em; padding: .2em .6em; border-left: 4px solid; }
.gptlib-reply.gptlib-yes { border-color: var(--jp-success-color1, #2e7d32); }
.gptlib-reply.gptlib-no { border-color: var(--jp-error-color1, #d32f2f); }
.gptlib-reply.gptlib-open { border-color: var(--jp-border-color2, #d0d0d0); }
.gptlib-asked code { font-family: var(--jp-code-font-family, monospace); font-size: 1em;
  background: color-mix(in srgb, #7a7a7a 14%, transparent); padding: 0 .2em; color: inherit; }
`;

/** Words with what is in backquotes as code. */
export function marked(words) {
  return words.split("`").map((part, k) => (k % 2 ? make("code", {}, part) : part));
}

/** A place for the reply. */
export function reply() {
  return make("div", { role: "status", class: "gptlib-reply gptlib-open" });
}

/** Say something in it that is neither right nor wrong. */
export function open(place, ...words) {
  set(place, { class: "gptlib-reply gptlib-open" });
  put(place, ...words);
}

/** Say whether `chosen` is right, and why; of a prediction also what is right. */
export function judge(place, { prediction, right, replies }, chosen) {
  const text = (choice) => replies.find(([name]) => name === choice)[1];
  const yes = chosen === right;
  const words = [make("b", {}, yes ? "✔ Yes." : "✘ No."), " ", ...marked(text(chosen))];
  if (prediction && !yes)
    words.push(" The answer is: ", make("b", {}, ...marked(right)), ". ", ...marked(text(right)));
  set(place, { class: `gptlib-reply ${yes ? "gptlib-yes" : "gptlib-no"}` });
  put(place, ...words);
}
