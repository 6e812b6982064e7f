// A sentence in boxes, one a token; what was drawn shows the probability that it was drawn with.

import { chance, make, say, set } from "./dom.js";

/** update([{name, p, stop}, ...], label): p is null in the prompt. The end is kept in sight. */
export function sentence({ lines = 2 } = {}) {
  const tokens = make("div", { class: "gptlib-tokens" });
  const root = make("div", { role: "group", tabindex: "0", class: "gptlib-sentence" }, tokens);
  root.style.cssText = `height: ${3.15 * lines}em; overflow-y: auto; margin: .2em 0;`;
  return {
    root,
    update(words, label) {
      set(root, { "aria-label": label });
      while (tokens.children.length > words.length) tokens.lastChild.remove();
      words.forEach((word, place) => {
        const node = tokens.children[place] ?? tokens.appendChild(box());
        show(node, word);
      });
      root.scrollTop = root.scrollHeight;
    },
  };
}

function box() {
  const name = make("span", { class: "gptlib-box gptlib-code" });
  return make("div", { class: "gptlib-token gptlib-appears" }, name, make("span", {}));
}

function show(node, { name, p = null, stop = false }) {
  const [words, below] = node.children;
  say(words, name);
  set(words, { title: name });
  say(below, p === null ? "" : chance(p));
  node.classList.toggle("gptlib-made", p !== null);
  node.classList.toggle("gptlib-stop", stop);
}
