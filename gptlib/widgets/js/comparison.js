// Below an experiment: what was predicted, and, on Compare, what is right.

import { frame } from "./base.js";
import { button } from "./controls.js";
import { make } from "./dom.js";
import { referred } from "./kernel.js";
import { CSS, judge, marked, open, reply } from "./reply.js";

export default {
  async render({ model, el }) {
    const { asks } = model.get("settings");
    const page = frame({ model, el, name: `Compare: ${asks.replaceAll("`", "")}`, css: CSS });
    page.root.classList.add("gptlib-asked");
    const prediction = await referred(model, "prediction"); // its box, somewhere above
    const see = button({ name: "Compare", hint: "with what you predicted", onClick: compare });
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
        open(place, "Run the cell with this question first, commit an answer, and run this cell "
          + "again.");
      else if (chosen === null)
        open(place, "First choose an answer in the box of this question, and press ",
          make("b", {}, "Commit"), ".");
      else if (compared) judge(place, prediction.get("settings"), chosen);
      else open(place, "You predicted: ", ...marked(chosen), ".");
    }

    for (const name of ["chosen", "compared"]) prediction?.on(`change:${name}`, paint);
    paint();
    return () => {
      for (const name of ["chosen", "compared"]) prediction?.off(`change:${name}`, paint);
      page.close();
    };
  },
};
