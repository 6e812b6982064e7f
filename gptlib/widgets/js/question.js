// A question with a few answers. A quick one replies at once and may be tried again; a prediction
// is committed first, and compared after the experiment.

import { frame } from "./base.js";
import { button } from "./controls.js";
import { make, put, set } from "./dom.js";

const CSS = `
.gptlib-answers { display: flex; flex-direction: column; gap: .2em; margin: .3em 0 .5em; }
.gptlib-live .gptlib-answers label { align-items: baseline; padding: .15em .5em; gap: .6em;
  border: 1px solid transparent; border-radius: 4px; cursor: pointer; }
.gptlib-live .gptlib-answers label:has(input:checked) { border-color: currentColor; }
.gptlib-answers input[type=radio] { flex: none; min-height: 0; width: 1.05em; height: 1.05em;
  transform: translateY(.15em); }
.gptlib-reply:not(:empty) { margin-top: .4em; padding: .2em .6em; border-left: 4px solid; }
.gptlib-reply.gptlib-yes { border-color: var(--jp-success-color1, #2e7d32); }
.gptlib-reply.gptlib-no { border-color: var(--jp-error-color1, #d32f2f); }
.gptlib-reply.gptlib-open { border-color: var(--jp-border-color2, #d0d0d0); }
.gptlib-asked code { font-family: var(--jp-code-font-family, monospace); font-size: 1em;
  background: color-mix(in srgb, #7a7a7a 14%, transparent); padding: 0 .2em; color: inherit; }
`;

let groups = 0; // radio buttons belong together by a name, which no two questions may share

/** Words with what is in backquotes as code. */
function marked(words) {
  return words.split("`").map((part, k) => (k % 2 ? make("code", {}, part) : part));
}

export default {
  render({ model, el }) {
    const { title, asks, prediction, right, replies } = model.get("settings");
    const page = frame({ model, el, name: `${title}: ${asks.replaceAll("`", "")}`, css: CSS });
    page.root.classList.add("gptlib-asked");
    const group = `gptlib-question-${groups++}`;
    const boxes = replies.map(([choice]) => {
      const input = make("input", { type: "radio", name: group });
      return { choice, input, root: make("label", {}, input, make("span", {}, ...marked(choice))) };
    });
    const first = button({
      name: prediction ? "Commit" : "Check", hint: "give this answer",
      onClick: () => page.run(commit),
    });
    const second = button({
      name: "Compare", hint: "after you have run the next cells", onClick: compare,
    });
    const reply = make("div", { role: "status" });
    page.controls.append(
      make("div", {}, make("b", {}, `${title}. `), ...marked(asks)),
      make("div", { class: "gptlib-answers", role: "radiogroup", "aria-label": "your answer" },
        ...boxes.map((box) => box.root)),
    );
    page.row(...(prediction ? [first, second] : [first]));
    page.picture.append(reply);

    async function commit() {
      const box = boxes.find(({ input }) => input.checked);
      if (!box) throw new Error("choose an answer first");
      page.trouble("");
      model.set("chosen", box.choice); // what is shown does not wait for the kernel
      paint();
      try {
        await page.kernel.ask("commit", { chosen: box.choice });
      } catch (error) {
        page.note(`This answer was not kept: ${error.message}`);
      }
    }

    function compare() {
      model.set("compared", true);
      model.save_changes();
      paint();
    }

    function paint() {
      const chosen = model.get("chosen");
      const committed = chosen !== null && chosen !== undefined;
      if (committed) for (const box of boxes) box.input.checked = box.choice === chosen;
      for (const box of boxes) box.input.disabled = prediction && committed;
      first.disabled = prediction && committed;
      second.disabled = !committed;
      const [look, words] = said(committed ? chosen : null);
      set(reply, { class: `gptlib-reply ${look}` });
      put(reply, ...words);
    }

    function said(chosen) {
      if (chosen === null) return ["gptlib-open", []];
      if (prediction && !model.get("compared"))
        return ["gptlib-open", ["Noted: ", ...marked(chosen), ". Run on; when you have seen what "
          + "happens, press ", make("b", {}, "Compare"), "."]];
      const text = (choice) => replies.find(([name]) => name === choice)[1];
      if (chosen === right)
        return ["gptlib-yes", [make("b", {}, "✔ Yes."), " ", ...marked(text(chosen))]];
      const more = prediction
        ? [" The answer is: ", make("b", {}, ...marked(right)), ". ", ...marked(text(right))]
        : [];
      return ["gptlib-no", [make("b", {}, "✘ No."), " ", ...marked(text(chosen)), ...more]];
    }

    model.on("change:chosen", paint);
    model.on("change:compared", paint);
    paint();
    return () => {
      model.off("change:chosen", paint);
      model.off("change:compared", paint);
      page.close();
    };
  },
};
