// The recorded models of lesson 06, asked about a prompt that is typed on a page.
//
// As TrainingExplorer in gptlib/widgets/training.py answers it; tests hold the numbers equal.

import { GPT, readTensors } from "./gpt.js";
import { ranking } from "./sampling.js";

const ROWS = 5; // likeliest tokens; all others share one row

export class Recording {
  /** told: {config, steps, longest}; history: the bytes of a history.safetensors. */
  constructor({ config, steps, longest }, history, tokenizer, truth) {
    Object.assign(this, { longest, tokenizer, truth });
    this.models = steps.map((step) => new GPT(config, readTensors(history, `${step}/`)));
  }

  /** All that is shown of a prompt: {text, tokens, names, frames, truth, kl, buffers: [weights]}. */
  see(prompt) {
    const ids = this.tokenizer.encode(prompt, { allowSpecial: true });
    if (!ids.length) throw new Error("type some text");
    if (ids.length > this.longest)
      throw new Error(`${ids.length} tokens are too many to show: ${this.longest} at most`);
    const passes = this.models.map((model) => model.trace(ids));
    const probs = passes.map((pass) => distribution(pass.logits()));
    const truth = this.truthAfter(ids);
    const shown = expected(probs.at(-1), truth, ROWS);
    const size = probs[0].length;
    const names = shown.map((id) => this.tokenizer.tokenStr(id));
    return {
      text: prompt,
      tokens: ids.map((id) => this.tokenizer.tokenStr(id)),
      names: [...names, `${size - shown.length} others`],
      frames: probs.map((row) => withTheRest(shown, (id) => row[id], row.keys())),
      truth: truth.size ? withTheRest(shown, (id) => truth.get(id) ?? 0, truth.keys()) : null,
      kl: truth.size ? probs.map((row) => kl(truth, row)) : null,
      buffers: [packed(passes, ids.length)],
    };
  }

  /** The truth, or nothing for a text that the grammar cannot say. */
  truthAfter(ids) {
    try {
      return this.truth ? this.truth.nextTokens(this.tokenizer, ids) : new Map();
    } catch {
      return new Map();
    }
  }
}

/** Softmax in 64 bits. */
function distribution(logits) {
  const largest = logits.reduce((a, b) => Math.max(a, b));
  const powers = Float64Array.from(logits, (logit) => Math.exp(logit - largest));
  const sum = powers.reduce((a, b) => a + b, 0);
  return powers.map((power) => power / sum);
}

/** The ids that the truth, then the model think likeliest; in the model's order. */
export function expected(probs, truth, count) {
  const known = [...truth].sort((a, b) => b[1] - a[1]).map(([id]) => id).slice(0, count);
  const best = ranking(probs).slice(0, 2 * count).filter((id) => !known.includes(id));
  return [...known, ...best].slice(0, count).sort((a, b) => probs[b] - probs[a]);
}

/** The values of what is shown, and of all others together. */
function withTheRest(shown, value, ids) {
  let rest = 0;
  for (const id of ids) if (!shown.includes(id)) rest += value(id);
  return [...shown.map(value), rest];
}

/** KL(truth || probs) in nats. */
function kl(truth, probs) {
  let sum = 0;
  for (const [id, p] of truth) if (p > 0) sum += p * Math.log(p / probs[id]);
  return sum;
}

/** The attention weights of all passes: float32, (passes, L, nh, T, T). */
function packed(passes, T) {
  const numbers = [];
  for (const { layers } of passes)
    for (const { weights } of layers)
      for (const head of weights)
        for (let t = 0; t < T; t++) for (let s = 0; s < T; s++) numbers.push(head[t][s] ?? 0);
  return new DataView(Float32Array.from(numbers).buffer);
}
