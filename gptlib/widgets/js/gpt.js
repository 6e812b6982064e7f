// A whole GPT in the browser: GPT-2's forward pass with every intermediate kept, in plain loops.
// Reads the weights as gptlib saves them (safetensors, Hugging Face's names: a linear layer's
// matrix is (in, out)). tests/widgets/test_js.py holds the numbers to gptlib's.
//
// Axes: T tokens, C = n_embd, nh heads, hs = C / nh channels of a head, V = vocab_size, L layers.

import { softmax } from "./sampling.js";

const EPS = 1e-5; // GPT-2's layer_norm_epsilon
const GELU = Math.sqrt(2 / Math.PI);

/** {name: {shape, data: Float32Array}} of a safetensors file; bytes: DataView or ArrayBuffer. */
export function readTensors(bytes, prefix = "") {
  const view = bytes instanceof ArrayBuffer ? new DataView(bytes) : bytes;
  const start = 8 + Number(view.getBigUint64(0, true));
  const text = new Uint8Array(view.buffer, view.byteOffset + 8, start - 8);
  const header = JSON.parse(new TextDecoder().decode(text));
  const tensors = {};
  for (const [name, entry] of Object.entries(header)) {
    if (name === "__metadata__" || !name.startsWith(prefix)) continue;
    if (entry.dtype !== "F32") throw new Error(`${name} is ${entry.dtype}, not float32`);
    const [from, to] = entry.data_offsets.map((offset) => view.byteOffset + start + offset);
    const data = new Float32Array(view.buffer.slice(from, to)); // a copy: aligned whatever comes
    tensors[name.slice(prefix.length).replace(/^transformer\./, "")] = { shape: entry.shape, data };
  }
  return tensors;
}

/**
 * x (T, I) times weight (I, O) plus bias (O,), for the rows from..T-1 -> (T, O).
 *
 * Four inputs at a time: the row is read and written a quarter as often, which takes half the time.
 */
function linear(x, { shape, data }, bias, T, from, out) {
  const [I, O] = shape;
  for (let t = from; t < T; t++) {
    const row = out.subarray(t * O, t * O + O);
    if (bias) row.set(bias.data);
    else row.fill(0);
    const inputs = x.subarray(t * I, t * I + I);
    let i = 0;
    for (; i + 3 < I; i += 4) {
      const [a, b, c, d] = [inputs[i], inputs[i + 1], inputs[i + 2], inputs[i + 3]];
      const [at, bt, ct, dt] = [i * O, (i + 1) * O, (i + 2) * O, (i + 3) * O];
      for (let o = 0; o < O; o++)
        row[o] += a * data[at + o] + b * data[bt + o] + c * data[ct + o] + d * data[dt + o];
    }
    for (; i < I; i++)
      for (let o = 0; o < O; o++) row[o] += inputs[i] * data[i * O + o];
  }
  return out;
}

/** Each row's channels to mean 0 and variance 1, times the gain, plus the bias. */
export function layerNorm(x, weight, bias, T, from = 0, out = new Float32Array(x.length)) {
  const C = weight.length;
  for (let t = from; t < T; t++) {
    let mean = 0;
    for (let c = 0; c < C; c++) mean += x[t * C + c];
    mean /= C;
    let variance = 0;
    for (let c = 0; c < C; c++) variance += (x[t * C + c] - mean) ** 2;
    const scale = 1 / Math.sqrt(variance / C + EPS);
    for (let c = 0; c < C; c++) out[t * C + c] = (x[t * C + c] - mean) * scale * weight[c] + bias[c];
  }
  return out;
}

export function gelu(x) {
  return 0.5 * x * (1 + Math.tanh(GELU * (x + 0.044715 * x ** 3)));
}

/** q . k of two rows of hs numbers. */
export function dot(a, b) {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}

/** What one query looks at: weights of keys 0..S-1. `upTo`: the last key that it may see. */
export function attentionRow(q, keys, { scale = 1 / Math.sqrt(q.length), upTo = Infinity } = {}) {
  const scores = keys.map((k, s) => (s <= upTo ? dot(q, k) * scale : -Infinity));
  return { scores, weights: softmax(scores) };
}

/**
 * One row of tokens, seen by the model. All arrays are Float32Array, rows of a token one after
 * another. layers[l]: x, ln1, mid, ln2, attn, mlp, out (T, C); qkv (T, 3C); heads (T, C), head h in
 * channels h*hs to (h+1)*hs; hidden (T, 4C); scores, weights (nh, T) of rows t of t + 1 numbers.
 */
class Trace {
  constructor(model, ids) {
    const { nEmbd: C, nLayer } = model.config;
    const T = ids.length;
    const make = (width) => new Float32Array(T * width);
    Object.assign(this, { model, ids, T });
    this.wte = make(C);
    this.wpe = make(C);
    this.layers = Array.from({ length: nLayer }, () => ({
      x: make(C), ln1: make(C), qkv: make(3 * C), scores: [], weights: [], heads: make(C),
      attn: make(C), mid: make(C), ln2: make(C), hidden: make(4 * C), mlp: make(C), out: make(C),
    }));
    this.lnF = make(C);
    this.rows = new Map(); // place -> its logits
  }

  get last() {
    return this.layers[this.layers.length - 1].out;
  }

  /** Row t of an array whose rows are `width` long. */
  row(array, t, width = this.model.config.nEmbd) {
    return array.subarray(t * width, (t + 1) * width);
  }

  /** Query, key or value of head h at place t, (hs,). */
  part(layer, kind, h, t) {
    const { nEmbd: C, headSize } = this.model.config;
    const at = t * 3 * C + { q: 0, k: C, v: 2 * C }[kind] + h * headSize;
    return this.layers[layer].qkv.subarray(at, at + headSize);
  }

  /** The logits for the token after place t, (V,); the last place if none is named. */
  logits(t = this.T - 1) {
    if (!this.rows.has(t)) this.rows.set(t, this.model.head(this.row(this.lnF, t)));
    return this.rows.get(t);
  }

  /** The logit lens: the head read at place t after the embeddings (0) or block `depth`, (V,). */
  logitsAt(depth, t) {
    const seen = depth ? this.layers[depth - 1].out : this.layers[0].x;
    return this.model.head(this.model.finalNorm(this.row(seen, t)));
  }
}

export class GPT {
  /** config: as config.json or {vocab_size, block_size, n_layer, n_head, n_embd}. */
  constructor(config, tensors) {
    const { n_layer: nLayer, n_head: nHead, n_embd: nEmbd, vocab_size: vocabSize } = config;
    const blockSize = config.block_size ?? config.n_positions;
    this.config = { nLayer, nHead, nEmbd, vocabSize, blockSize, headSize: nEmbd / nHead };
    this.w = tensors;
    this.latest = null;
  }

  /** One normalised row (C,) to the scores of all tokens (V,): the tied head. */
  head(row) {
    const { nEmbd: C, vocabSize } = this.config;
    const table = this.w["wte.weight"].data;
    const logits = new Float32Array(vocabSize);
    for (let id = 0; id < vocabSize; id++) {
      let sum = 0;
      for (let c = 0; c < C; c++) sum += row[c] * table[id * C + c];
      logits[id] = sum;
    }
    return logits;
  }

  finalNorm(row) {
    return layerNorm(row, this.w["ln_f.weight"].data, this.w["ln_f.bias"].data, 1);
  }

  /** The logits of the token after ids, read through their last block_size, (V,). */
  next(ids) {
    return this.trace(ids.slice(-this.config.blockSize)).logits();
  }

  /**
   * One pass over ids (T,). What the pass before has in common with it at the start is not computed
   * again, so that one more token costs one row.
   *
   * without: parts that are left out, of "attention", "mask", "scaling", "feedforward",
   * "layernorm", "residual", "positions" (gptlib.ablate), in `layers` (all of them).
   * patch: (layer, head, place, output (hs,)) -> nothing; may change a head's output in place.
   */
  trace(ids, { without = [], layers = null, patch = null } = {}) {
    const { vocabSize, blockSize, nLayer } = this.config;
    if (!ids.length) throw new Error("type some text");
    if (ids.length > blockSize)
      throw new Error(`${ids.length} tokens do not fit into the context of ${blockSize}`);
    const wrong = ids.find((id) => !(id >= 0 && id < vocabSize));
    if (wrong !== undefined) throw new Error(`token id ${wrong} is outside 0..${vocabSize - 1}`);
    const plain = !without.length && !patch;
    const before = plain ? this.latest : null;
    let from = 0;
    while (before && from < Math.min(before.T, ids.length) && before.ids[from] === ids[from]) from++;
    if (before && from === ids.length && from === before.T) return before;
    const made = new Trace(this, [...ids]);
    if (from) copyRows(before, made, from);
    const where = layers ?? Array.from({ length: nLayer }, (_, l) => l);
    const gone = (part, l) => without.includes(part) && where.includes(l);
    this.embed(made, from, without.includes("positions"));
    made.layers.forEach((_, l) => this.block(made, l, from, (part) => gone(part, l), patch));
    const all = Array.from({ length: nLayer }, (_, l) => l).every((l) => gone("layernorm", l));
    if (all) made.lnF.set(made.last);
    else this.norm("ln_f", made.last, made, from, made.lnF);
    if (plain) this.latest = made;
    return made;
  }

  embed(made, from, noPositions) {
    const C = this.config.nEmbd;
    const [table, places] = [this.w["wte.weight"].data, this.w["wpe.weight"].data];
    const x = made.layers[0].x;
    for (let t = from; t < made.T; t++) {
      made.wte.set(table.subarray(made.ids[t] * C, (made.ids[t] + 1) * C), t * C);
      if (!noPositions) made.wpe.set(places.subarray(t * C, (t + 1) * C), t * C);
      for (let c = t * C; c < (t + 1) * C; c++) x[c] = made.wte[c] + made.wpe[c];
    }
  }

  norm(name, x, made, from, out) {
    const [weight, bias] = [this.w[`${name}.weight`].data, this.w[`${name}.bias`].data];
    return layerNorm(x, weight, bias, made.T, from, out);
  }

  linear(name, x, made, from, out) {
    return linear(x, this.w[`${name}.weight`], this.w[`${name}.bias`], made.T, from, out);
  }

  /** One block: attention, then feedforward, each adding to what it read. */
  block(made, l, from, gone, patch) {
    const { nEmbd: C } = this.config;
    const [start, end] = [from * C, made.T * C];
    const at = made.layers[l];
    const name = `h.${l}`;
    const norm = (which, x, out) =>
      gone("layernorm") ? out.set(x) : this.norm(`${name}.${which}`, x, made, from, out);
    norm("ln_1", at.x, at.ln1);
    this.linear(`${name}.attn.c_attn`, at.ln1, made, from, at.qkv);
    this.attend(made, l, gone("mask") ? 0 : from, gone, patch);
    if (gone("attention")) at.attn.fill(0);
    else this.linear(`${name}.attn.c_proj`, at.heads, made, from, at.attn);
    const kept = gone("residual") ? 0 : 1;
    for (let i = start; i < end; i++) at.mid[i] = kept * at.x[i] + at.attn[i];
    norm("ln_2", at.mid, at.ln2);
    this.linear(`${name}.mlp.c_fc`, at.ln2, made, from, at.hidden);
    for (let i = 4 * start; i < 4 * end; i++) at.hidden[i] = gelu(at.hidden[i]);
    if (gone("feedforward")) at.mlp.fill(0);
    else this.linear(`${name}.mlp.c_proj`, at.hidden, made, from, at.mlp);
    for (let i = start; i < end; i++) at.out[i] = kept * at.mid[i] + at.mlp[i];
    const next = made.layers[l + 1];
    if (next) next.x.set(at.out.subarray(start), start);
  }

  attend(made, l, from, gone, patch) {
    const { nHead, nEmbd: C, headSize: hs } = this.config;
    const at = made.layers[l];
    const scale = gone("scaling") ? 1 : 1 / Math.sqrt(hs);
    for (let h = 0; h < nHead; h++) {
      at.scores[h] ??= [];
      at.weights[h] ??= [];
      for (let t = from; t < made.T; t++) {
        const q = made.part(l, "q", h, t);
        const seen = gone("mask") ? made.T : t + 1;
        const scores = new Float32Array(seen);
        for (let s = 0; s < seen; s++) scores[s] = dot(q, made.part(l, "k", h, s)) * scale;
        const weights = softmax(scores);
        const out = at.heads.subarray(t * C + h * hs, t * C + (h + 1) * hs);
        out.fill(0);
        for (let s = 0; s < seen; s++) {
          const v = made.part(l, "v", h, s);
          for (let c = 0; c < hs; c++) out[c] += weights[s] * v[c];
        }
        at.scores[h][t] = scores;
        at.weights[h][t] = weights;
        if (patch) patch(l, h, t, out);
      }
    }
  }
}

/** The first `count` rows of all that a pass has, from another that began with the same tokens. */
function copyRows(before, made, count) {
  const copy = (a, b) => b.set(a.subarray(0, (a.length / before.T) * count));
  for (const name of ["wte", "wpe", "lnF"]) copy(before[name], made[name]);
  before.layers.forEach((old, l) => {
    for (const [name, value] of Object.entries(old)) {
      if (value instanceof Float32Array) copy(value, made.layers[l][name]);
      else made.layers[l][name] = value.map((rows) => rows.slice(0, count));
    }
  });
  for (const [place, logits] of before.rows) if (place < count) made.rows.set(place, logits);
}
