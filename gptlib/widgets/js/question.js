// A question with a few answers. A quick one replies at once and may be tried again; a prediction
// is committed here, and compared below its experiment (comparison.js).

import { frame } from "./base.js";
import { button } from "./controls.js";
import { make } from "./dom.js";
import { CSS as REPLY, judge, marked, open, reply } from "./reply.js";

const CSS = `${REPLY}
.gptlib-answers { display: flex; flex-direction: column; gap: .2em; margin: .3em 0 .5em; }
.gptlib-live .gptlib-answers label { align-items: baseline; padding: .15em .5em; gap: .6em;
  border: 1px solid transparent; border-radius: 4px; cursor: pointer; }
.gptlib-live .gptlib-answers label:has(input:checked) { border-color: currentColor; }
.gptlib-answers input[type=radio] { flex: none; min-height: 0; width: 1.05em; height: 1.05em;
  transform: translateY(.15em); }
`;

const ALONE = "The kernel that made this question has stopped or been restarted. An answer still "
  + "gets its reply, but is not kept: run this cell again.";
let groups = 0; // radio buttons belong together by a name, which no two questions may share

export default {
  render({ model, el }) {
    const settings = model.get("settings");
    const { title, asks, prediction, replies } = settings;
    const page = frame({ model, el, name: `${title}: ${asks.replaceAll("`", "")}`, css: CSS });
    page.root.classList.add("gptlib-asked");
    const group = `gptlib-question-${groups++}`;
    const boxes = replies.map(([choice]) => {
      const input = make("input", { type: "radio", name: group });
      return { choice, input, root: make("label", {}, input, make("span", {}, ...marked(choice))) };
    });
    const give = button({
      name: prediction ? "Commit" : "Check", hint: "give this answer",
      onClick: () => page.run(commit),
    });
    const place = reply();
    page.controls.append(
      make("div", {}, make("b", {}, `${title}. `), ...marked(asks)),
      make("div", { class: "gptlib-answers", role: "radiogroup", "aria-label": "your answer" },
        ...boxes.map((box) => box.root)),
    );
    page.row(give);
    page.picture.append(place);

    async function commit() {
      const box = boxes.find(({ input }) => input.checked);
      if (!box) throw new Error("choose an answer first");
      page.trouble("");
      model.set("chosen", box.choice); // what is shown does not wait for the kernel
      paint();
      try {
        await page.kernel.ask("commit", { chosen: box.choice });
      } catch (error) {
        if (!page.kernel.gone) page.note(`This answer was not kept: ${error.message}`);
      }
    }

    function paint() {
      const chosen = model.get("chosen");
      const committed = chosen !== null && chosen !== undefined;
      if (committed) for (const box of boxes) box.input.checked = box.choice === chosen;
      for (const box of boxes) box.input.disabled = prediction && committed;
      give.disabled = prediction && committed;
      if (!committed) open(place);
      else if (prediction && !model.get("compared"))
        open(place, "Noted: ", ...marked(chosen), ". Run on: the result comes with a button, ",
          make("b", {}, "Compare"), ".");
      else judge(place, settings, chosen);
    }

    page.kernel.watch((gone) => page.lost(gone ? ALONE : ""));
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
