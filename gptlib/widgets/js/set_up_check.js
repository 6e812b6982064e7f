// Does a slider move what it should move, and does the kernel answer?

import { frame, needsKernel } from "./base.js";
import { number } from "./controls.js";
import { make, say, set, style } from "./dom.js";

export default {
  render({ model, el }) {
    const page = frame({ model, el, name: "Set-up check" });
    const fill = make("div", { class: "gptlib-fill" });
    const track = make("div", { class: "gptlib-track", role: "img" }, fill);
    const words = make("div", { role: "status" });
    const kernel = make("div", { role: "status" });
    const slider = number({
      name: "move me", value: 0, min: 0, max: 100,
      onInput: show, onWrong: (wrong) => page.trouble(wrong),
    });
    page.row(slider);
    page.picture.append(track, words, kernel);
    needsKernel(page);

    function show(share) {
      const verdict = share ? "The widgets answer." : "Nothing has moved yet.";
      page.trouble("");
      style(fill, { width: `${share}%` });
      set(track, { "aria-label": `${share} of 100. ${verdict}` });
      say(words, verdict);
    }
    show(0);
    page.kernel.watch((gone) => {
      say(kernel, gone ? "The kernel no longer answers." : "Waiting for the kernel …");
      if (!gone) page.run(async () => say(kernel, (await page.kernel.ask("hello")).said));
    });
    return () => page.close();
  },
};
