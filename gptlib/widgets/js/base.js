// What every explorer is made of: controls above, one picture below, a line where trouble is said.

import { make, put, say, set, still } from "./dom.js";
import { Kernel, GONE } from "./kernel.js";
import { adopt } from "./style.js";

const PATIENCE = 0.4; // seconds before it is said that something takes a while
const BACK = "The kernel is back: make your last change once more.";

/**
 * The frame of an explorer, put into `el`.
 *
 * name: what a screen reader calls the whole. css: rules of its own, under a class of its own.
 * Returns {root, controls, picture, kernel, row, run, trouble, note, lost, close}.
 */
export function frame({ model, el, name, css = "" }) {
  adopt();
  if (css) adopt(css);
  const controls = make("div", {});
  // Two lines: that the kernel has gone stays true whatever the last action came to.
  const lines = { lost: make("div", { role: "status" }), last: make("div", { role: "status" }) };
  const message = make("div", { class: "gptlib-message" }, lines.lost, lines.last);
  const picture = make("div", {});
  const root = make(
    "section",
    { class: "gptlib-live gptlib-explorer", "aria-label": name },
    controls, message, picture,
  );
  put(el, root);
  const kernel = new Kernel(model);
  const said = { lost: "", last: "", quiet: false };
  const tell = () => {
    const known = said.lost && said.last === GONE; // in the line above
    const last = known ? "" : said.last;
    const alarm = last && !said.quiet;
    set(lines.lost, { role: said.lost ? "alert" : "status" });
    say(lines.lost, said.lost && `⚠ ${said.lost}`);
    set(lines.last, { role: alarm ? "alert" : "status", class: alarm ? null : "gptlib-quiet" });
    say(lines.last, alarm ? `⚠ ${last}` : last);
    picture.classList.toggle("gptlib-stale", Boolean(said.last) && !said.quiet);
  };
  const self = {
    root, controls, picture, kernel,
    /** A row of controls. */
    row(...items) {
      const made = make("div", { class: "gptlib-row" }, ...items.map((item) => item.root ?? item));
      controls.append(made);
      return made;
    },
    /** Say what went wrong, and grey the picture, which shows an earlier moment. "" ends it. */
    trouble(words) {
      Object.assign(said, { last: words, quiet: false });
      tell();
    },
    /** Say something that is no trouble: why nothing happens, what is waited for. */
    note(words) {
      Object.assign(said, { last: words, quiet: true });
      tell();
    },
    /** Say what is missing while the kernel is gone; the picture is still true. "" ends it. */
    lost(words) {
      said.lost = words;
      tell();
    },
    /** What a promise gives; if that takes a while, say what is waited for. */
    waitFor(promise) {
      const timer = setTimeout(() => self.note("Waiting for the kernel …"), 1000 * PATIENCE);
      return promise.finally(() => clearTimeout(timer));
    },
    /** Do something, and say its error in the explorer: nobody looks into a browser's console. */
    run(action) {
      try {
        const result = action();
        if (result instanceof Promise) return result.catch(fail);
        return result;
      } catch (error) {
        return fail(error);
      }
    },
    close() {
      kernel.close();
    },
  };
  const fail = (error) => {
    if (!(error instanceof Error)) throw error;
    if (error.name !== "Error") console.error(error); // a fault of ours, for who looks for it
    self.trouble(error.message);
  };
  kernel.watch((gone) => {
    if (!gone && said.last === GONE) self.trouble(BACK); // the picture is still the one of before
  });
  return self;
}

/** Switch these controls off, and say why, while the kernel is gone. */
export function needsKernel(self, ...controls) {
  self.kernel.watch((gone) => {
    for (const control of controls) control.disabled = gone;
    self.lost(gone ? GONE : "");
  });
}

/**
 * Something done again and again at a pace, until it says false or is stopped.
 *
 * step(): one of them, returns (a promise of) whether there is more. seconds(): from one to the
 * next. onChange(playing): it begins or ends.
 */
export function player({ step, seconds, onChange }) {
  let timer = null;
  let run = 0;
  const stop = () => {
    clearTimeout(timer);
    run++;
    if (timer !== null) {
      timer = null;
      onChange?.(false);
    }
  };
  const go = async (mine) => {
    const more = await step();
    if (mine !== run) return;
    if (!more) return stop();
    timer = setTimeout(() => go(mine), 1000 * seconds());
  };
  return {
    get playing() {
      return timer !== null;
    },
    start() {
      if (timer !== null) return;
      timer = 0;
      onChange?.(true);
      go(run);
    },
    stop,
  };
}

/**
 * A function that reads what is to be shown, and then shows it; the latest wish counts: what is
 * asked for while something is read is read once more, and only then is anything shown. What it
 * gives is true once it is shown, and nothing where it could not be read.
 */
export function latest(page, read, show) {
  let again = false;
  let busy = false;
  let reading = null;
  const go = async () => {
    try {
      while (again) {
        again = false;
        try {
          await read();
        } catch (error) {
          if (!again) throw error; // else it is of something that is no longer wished for
        }
      }
      page.trouble("");
      show();
      return true;
    } finally {
      busy = false;
    }
  };
  return () => {
    again = true;
    if (!busy) {
      busy = true;
      reading = Promise.resolve(page.run(go));
    }
    return reading;
  };
}

/**
 * Redraw as soon as the code that asks has ended, and then at most once a frame, with the latest
 * state: to wait for the next frame would add the time of drawing to it. The first time waits, since
 * what is drawn may not be in the page yet.
 */
export function onceAFrame(paint) {
  let begun = false;
  let waiting = false;
  let again = false;
  const next = () => {
    waiting = again;
    if (!again) return;
    again = false;
    requestAnimationFrame(next);
    paint();
  };
  return () => {
    again = true;
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(next);
    if (begun)
      queueMicrotask(() => {
        again = false;
        paint();
      });
    begun = true;
  };
}

/** Call `paint(width)` with the width of a node in pixels, now and whenever it changes. */
export function onWidth(node, paint) {
  const observer = new ResizeObserver(([entry]) => paint(entry.contentRect.width));
  observer.observe(node);
  return () => observer.disconnect();
}

/** Seconds that a motion may take: none where the reader has asked for none. */
export function motion(seconds) {
  return still() ? 0 : seconds;
}
