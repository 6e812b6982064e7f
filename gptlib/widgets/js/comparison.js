// Below an experiment: what was predicted, and, on Compare, what is right.

import { frame } from "./base.js";
import { button } from "./controls.js";
import { make } from "./dom.js";
import { referred } from "./kernel.js";
import { CSS, judge, marked, open, reply } from "./reply.js";

const CHANGES = ["change:chosen", "change:compared"];

export default {
  async render({ model, el }) {
    const { asks } = model.get("settings");
    const page = frame({ model, el, name: `Compare: ${asks.replaceAll("`", "")}`, css: CSS });
    page.root.classList.add("gptlib-asked");
    let prediction = null; // its box, somewhere above
    const see = button({
      name: "Compare", hint: "with what you predicted", onClick: () => page.run(compare),
    });
    const place = reply();
    page.controls.append(make("div", {}, make("b", {}, "Compare. "), ...marked(asks)));
    page.row(see);
    page.picture.append(place);

    function compare() {
      prediction.set("compared", true);
      prediction.save_changes();
      paint();
    }

    function paint() {
      const chosen = prediction?.get("chosen") ?? null;
      const compared = chosen !== null && prediction.get("compared");
      see.disabled = chosen === null || compared;
      if (!prediction)
        open(place, "First run the cell of this question, and commit an answer there.");
      else if (chosen === null)
        open(place, "First choose an answer in the box of this question, and press ",
          make("b", {}, "Commit"), ".");
      else if (compared) judge(place, prediction.get("settings"), chosen);
      else open(place, "You predicted: ", ...marked(chosen), ".");
    }

    function leave() {
      for (const change of CHANGES) prediction?.off(change, paint);
    }

    /** The cell of the question may be run again, which makes another box. */
    async function follow() {
      const found = await referred(model, "prediction");
      leave();
      prediction = found;
      for (const change of CHANGES) prediction?.on(change, paint);
      paint();
    }

    const again = () => page.run(follow);
    model.on("change:prediction", again);
    await again();
    return () => {
      model.off("change:prediction", again);
      leave();
      page.close();
    };
  },
};
