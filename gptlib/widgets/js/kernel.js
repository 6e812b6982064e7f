// What an explorer has from Python: data at the start, answers when it asks, and word of its end.
//
// `model` is anywidget's, or anything with get, set, save_changes, send, on, off: a page of the
// site has no kernel and gives an object that holds the data.

import { GPT, readTensors } from "./gpt.js";
import { Tokenizer } from "./bpe.js";

export const GONE =
  "The kernel that made this explorer has stopped or been restarted: run this cell again.";
const LOST = new Set(["restarting", "autorestarting", "dead"]); // a kernel's words for its end

export class Kernel {
  constructor(model) {
    this.model = model;
    this.waiting = new Map();
    this.asked = 0;
    this.watchers = [];
    this.listeners = [];
    this.gone = false;
    this.closed = false;
    this.stopHearing = () => {}; // of the kernel's end
    this.name = Math.random().toString(36).slice(2); // two views of one widget hear each other
    this.hear = (message, buffers) => this.answer(message, buffers ?? []);
    model.on?.("msg:custom", this.hear);
    this.find();
  }

  /** anywidget's model does not say whether its kernel is there; JupyterLab's own does. */
  async find() {
    const own = await this.model.widget_manager?.get_model(this.model.get("own_id"));
    if (!own || this.closed) return;
    const look = () => {
      const { kernel } = own.widget_manager ?? {};
      this.hearEnd(kernel);
      // null: JupyterLab has shut the kernel down, which leaves the comm as it was.
      this.setGone(!own.comm_live || kernel === null || Boolean(kernel?.isDisposed));
    };
    this.model.on("comm_live_update", look);
    look();
  }

  /** A kernel that is shut down, or that a hub ends, says so itself. */
  hearEnd(kernel) {
    this.stopHearing();
    const ended = () => this.setGone(true);
    const changed = (_, status) => LOST.has(status) && ended();
    kernel?.statusChanged?.connect(changed);
    kernel?.disposed?.connect(ended);
    this.stopHearing = () => {
      kernel?.statusChanged?.disconnect(changed);
      kernel?.disposed?.disconnect(ended);
    };
  }

  /** Ask Python: what `Explorer.answer(kind, content)` returns, and its buffers. */
  ask(kind, content = {}) {
    if (this.gone) return Promise.reject(new Error(GONE));
    const id = `${this.name}-${this.asked++}`;
    return new Promise((resolve, reject) => {
      this.waiting.set(id, { resolve, reject });
      try {
        this.model.send({ id, ask: kind, ...content });
      } catch {
        this.setGone(true); // and whoever waits is told so
      }
    });
  }

  /** Hear what Python says unasked: listener(message, buffers) of each message with `news`. */
  onNews(listener) {
    this.listeners.push(listener);
  }

  answer(message, buffers) {
    if (message.news) for (const listener of this.listeners) listener(message, buffers);
    const who = this.waiting.get(message.id);
    if (!who) return;
    this.waiting.delete(message.id);
    if (message.error !== undefined) who.reject(new Error(message.error));
    else who.resolve({ ...message, buffers });
  }

  /** Be told when the kernel goes (true) or is back (false). */
  watch(listener) {
    this.watchers.push(listener);
    listener(this.gone);
  }

  setGone(gone) {
    if (gone === this.gone) return;
    this.gone = gone;
    if (gone) {
      for (const { reject } of this.waiting.values()) reject(new Error(GONE));
      this.waiting.clear();
    }
    for (const listener of this.watchers) listener(gone);
  }

  /** Tell Python a value, for code in the notebook that reads it. */
  tell(name, value) {
    if (this.gone) return;
    try {
      this.model.set(name, value);
      this.model.save_changes();
    } catch {
      this.setGone(true);
    }
  }

  close() {
    this.closed = true;
    this.model.off?.("msg:custom", this.hear);
    this.stopHearing();
  }
}

/** The model of the widget that a trait refers to, or null; on a page of the site, what it holds. */
export async function referred(model, name) {
  const held = model.get(name);
  if (typeof held !== "string") return held ?? null;
  return model.widget_manager.get_model(held.replace("IPY_MODEL_", ""));
}

/** What a trait that holds a Shared refers to, as a function of its names; or null. */
async function shared(model, name) {
  const found = await referred(model, name);
  return found && ((key) => (found.get ? found.get(key) : found[key]));
}

/** The GPT of a trait, or null where it is too large for a browser and stays in the kernel. */
export async function loadModel(model, name = "shared_model") {
  const get = await shared(model, name);
  return get && new GPT(get("config"), readTensors(get("tensors")));
}

/** The tokenizer of a trait, or null. */
export async function loadTokenizer(model, name = "shared_tokenizer") {
  const get = await shared(model, name);
  if (!get) return null;
  const view = get("merges");
  const merges = new Int32Array(view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength));
  return new Tokenizer({ merges, special: get("special"), byteIds: get("byte_ids") });
}

/** Numbers that came as a buffer. */
export function floats(view) {
  return new Float32Array(view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength));
}
