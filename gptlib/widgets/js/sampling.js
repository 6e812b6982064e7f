// Lesson 07 in the browser: logits to probabilities, and the draws that PyTorch makes from a seed.
// The same steps in the same order as gptlib/sampling.py; tests/widgets/test_js.py holds them equal.

/** e^logit over the sum of all e^logit, the largest subtracted first. Float32Array (V,). */
export function softmax(logits) {
  let largest = -Infinity;
  for (const logit of logits) if (logit > largest) largest = logit;
  const probs = new Float32Array(logits.length);
  let sum = 0;
  for (let i = 0; i < logits.length; i++) sum += probs[i] = Math.exp(logits[i] - largest);
  for (let i = 0; i < logits.length; i++) probs[i] /= sum;
  return probs;
}

/** Ids in the order of their logits, the largest first; of equal ones the smaller id first. */
export function ranking(logits) {
  return Array.from(logits, (_, id) => id).sort((a, b) => logits[b] - logits[a] || a - b);
}

/**
 * The distribution that the next token is drawn from: logits / temperature, softmax, the topK
 * largest, of these the fewest that reach topP together, divided by what is left.
 *
 * order: `ranking(logits)`, where it is at hand. topK, topP: null for a filter that is off.
 */
export function nextTokenProbs(logits, { temperature = 1, topK = null, topP = null, order } = {}) {
  if (!(temperature >= 0)) throw new Error("temperature must be 0 or more");
  if (topK !== null && topK < 1) throw new Error("top_k must be 1 or more");
  if (topP !== null && !(topP > 0 && topP <= 1)) throw new Error("top_p must be in (0, 1]");
  order = order ?? ranking(logits);
  const probs = new Float32Array(logits.length);
  if (temperature === 0) {
    probs[order[0]] = 1;
    return probs;
  }
  const kept = topK === null ? order : order.slice(0, topK);
  const largest = logits[order[0]];
  let sum = 0;
  for (const id of kept) sum += probs[id] = Math.exp((logits[id] - largest) / temperature);
  for (const id of kept) probs[id] /= sum;
  if (topP === null || topP === 1) return probs;
  let reached = 0;
  let stays = 0;
  for (const id of kept) {
    if (reached >= topP * (1 - 1e-6)) probs[id] = 0; // the slack is float32's, as in Python
    else stays += probs[id];
    reached += probs[id];
  }
  for (const id of kept) probs[id] /= stays;
  return probs;
}

/** The first id at which the running sum passes u, one number in [0, 1). */
export function draw(probs, u) {
  const sums = runningSums(probs);
  const aim = u * sums[sums.length - 1];
  return sums.findIndex((sum) => sum > aim);
}

/** p[0], p[0] + p[1], ...: Float64Array (V,). */
export function runningSums(probs) {
  const sums = new Float64Array(probs.length);
  let sum = 0;
  for (let i = 0; i < probs.length; i++) sums[i] = sum += probs[i];
  return sums;
}

/** How often each id comes in as many draws as there are numbers in `us`: (V,). */
export function countDraws(probs, us) {
  const sums = runningSums(probs);
  const total = sums[sums.length - 1];
  const counts = new Uint32Array(probs.length);
  for (const u of us) {
    let low = 0;
    let high = sums.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (sums[middle] > u * total) high = middle;
      else low = middle + 1;
    }
    counts[low]++;
  }
  return counts;
}

const N = 624;

/** `torch.Generator().manual_seed(seed)`: the Mersenne Twister, Matsumoto and Nishimura 1998. */
export class Generator {
  constructor(seed) {
    this.state = new Uint32Array(N);
    this.state[0] = seed;
    for (let i = 1; i < N; i++) {
      const before = this.state[i - 1] ^ (this.state[i - 1] >>> 30);
      this.state[i] = Math.imul(1812433253, before) + i;
    }
    this.place = N;
  }

  /** The next 32 random bits, as a number. */
  bits() {
    if (this.place === N) this.twist();
    let y = this.state[this.place++];
    y ^= y >>> 11;
    y ^= (y << 7) & 0x9d2c5680;
    y ^= (y << 15) & 0xefc60000;
    return (y ^ (y >>> 18)) >>> 0;
  }

  twist() {
    const s = this.state;
    for (let i = 0; i < N; i++) {
      const y = (s[i] & 0x80000000) | (s[(i + 1) % N] & 0x7fffffff);
      s[i] = s[(i + 397) % N] ^ (y >>> 1) ^ (y & 1 ? 0x9908b0df : 0);
    }
    this.place = 0;
  }

  /** What `torch.rand(1, dtype=torch.float64)` gives: the lower 53 of 64 bits, over 2^53. */
  uniform() {
    const high = this.bits();
    const low = this.bits();
    return ((high & 0x1fffff) * 2 ** 32 + low) / 2 ** 53;
  }
}

/** The numbers from..to-1 of a seed's stream, kept so that Undo and Step cost nothing. */
export class Stream {
  constructor(seed) {
    this.generator = new Generator(seed);
    this.numbers = [];
  }

  at(place) {
    while (this.numbers.length <= place) this.numbers.push(this.generator.uniform());
    return this.numbers[place];
  }

  slice(from, to) {
    if (to > from) this.at(to - 1);
    return this.numbers.slice(from, to);
  }
}

/** KL(truth || probs) in nats: truth is a Map id -> p. */
export function klFrom(truth, probs) {
  let sum = 0;
  for (const [id, p] of truth) if (p > 0) sum += p * Math.log(p / probs[id]);
  return sum;
}
