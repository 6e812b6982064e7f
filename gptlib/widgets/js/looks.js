// Who looks at whom: rows of scores and weights from queries and keys, with or without the mask and
// the scale. What each layer reads stays as it was in the pass.
//
// Axes: L layers, nh heads, T tokens, hs numbers of a head.

import { dot } from "./gpt.js";
import { softmax } from "./sampling.js";

export class Looks {
  /** part(layer, "q"|"k"|"v", head, place) -> (hs,). */
  constructor({ part, layers, heads, T, size }) {
    Object.assign(this, { part, layers, heads, T, size });
    this.set({ masked: true, scaled: true });
  }

  set({ masked, scaled }) {
    if (masked === this.masked && scaled === this.scaled) return;
    Object.assign(this, { masked, scaled, rows: new Map() });
  }

  hidden(query, key) {
    return this.masked && key > query;
  }

  /** {products, scores, weights} of one query, (T,) each: a hidden key has score −∞, weight 0. */
  row(layer, head, query) {
    const key = (layer * this.heads + head) * this.T + query;
    if (!this.rows.has(key)) this.rows.set(key, this.work(layer, head, query));
    return this.rows.get(key);
  }

  work(layer, head, query) {
    const q = this.part(layer, "q", head, query);
    const scale = this.scaled ? 1 / Math.sqrt(this.size) : 1;
    const products = new Float64Array(this.T);
    const scores = new Float64Array(this.T).fill(-Infinity);
    for (let key = 0; key < this.T; key++) {
      products[key] = dot(q, this.part(layer, "k", head, key));
      if (!this.hidden(query, key)) scores[key] = products[key] * scale;
    }
    return { products, scores, weights: softmax(scores) };
  }

  /** What the head hands on at this place: the values, mixed by the weights, (hs,). */
  output(layer, head, query) {
    const { weights } = this.row(layer, head, query);
    const out = new Float64Array(this.size);
    weights.forEach((weight, key) => {
      const value = this.part(layer, "v", head, key);
      for (let c = 0; c < this.size; c++) out[c] += weight * value[c];
    });
    return out;
  }

  /** The key that gets the largest weight. */
  strongest(layer, head, query) {
    const { weights } = this.row(layer, head, query);
    return weights.indexOf(Math.max(...weights));
  }
}

/** Of a pass of gpt.js. */
export function looksOf(trace) {
  const { nLayer: layers, nHead: heads, headSize: size } = trace.model.config;
  const part = (layer, kind, head, place) => trace.part(layer, kind, head, place);
  return new Looks({ part, layers, heads, T: trace.T, size });
}

/** Of what the kernel sent: q, k and v, (L, nh, T, hs) each, one after the other. */
export function looksFrom([q, k, v], [layers, heads, T, size]) {
  const arrays = { q, k, v };
  const part = (layer, kind, head, place) => {
    const at = ((layer * heads + head) * T + place) * size;
    return arrays[kind].subarray(at, at + size);
  };
  return new Looks({ part, layers, heads, T, size });
}

/** One row in words, the largest weights first. */
export function spokenRow(names, query, weights, two, most = 5) {
  const order = [...weights.keys()].sort((a, b) => weights[b] - weights[a] || a - b).slice(0, most);
  const said = order.filter((key) => two(weights[key]) !== "0.00");
  return `“${names[query]}” looks ${said.map((key) => `at “${names[key]}” ${two(weights[key])}`).join(", ")}`;
}
