// Lesson 01 in the browser: text to token ids and back, byte-level BPE as gptlib/tokenizer.py does.
// tests/widgets/test_js.py holds the ids equal.

// Python's \s is Unicode's White_Space; JavaScript's own \s is another set.
const SPACE = String.raw`\p{White_Space}`;
const PATTERN = new RegExp(
  String.raw`'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^${SPACE}\p{L}\p{N}]+` +
    String.raw`|${SPACE}+(?!\P{White_Space})|${SPACE}+`,
  "gu",
);
// First and last of the characters that print as nothing or disturb what is printed after them:
// gptlib/formats/visible.py says which they are, and a test holds the two lists equal.
export const UNSEEN = [
  [0x0000, 0x001f], [0x007f, 0x00a0], [0x00ad, 0x00ad], [0x034f, 0x034f], [0x0600, 0x0605],
  [0x061c, 0x061c], [0x06dd, 0x06dd], [0x070f, 0x070f], [0x0890, 0x0891], [0x08e2, 0x08e2],
  [0x115f, 0x1160], [0x1680, 0x1680], [0x17b4, 0x17b5], [0x180b, 0x180f], [0x2000, 0x200f],
  [0x2028, 0x202f], [0x205f, 0x206f], [0x2800, 0x2800], [0x3000, 0x3000], [0x3164, 0x3164],
  [0xe000, 0xf8ff], [0xfdd0, 0xfdef], [0xfe00, 0xfe0f], [0xfeff, 0xfeff], [0xffa0, 0xffa0],
  [0xfff0, 0xfffb], [0xfffe, 0xffff], [0x110bd, 0x110bd], [0x110cd, 0x110cd], [0x13430, 0x13442],
  [0x16fe4, 0x16fe4], [0x1bca0, 0x1bca3], [0x1d159, 0x1d159], [0x1d173, 0x1d17a],
  [0xe0000, 0xe0fff], [0xf0000, 0x10ffff], [0x1fffe, 0x1ffff], [0x2fffe, 0x2ffff],
  [0x3fffe, 0x3ffff], [0x4fffe, 0x4ffff], [0x5fffe, 0x5ffff], [0x6fffe, 0x6ffff],
  [0x7fffe, 0x7ffff], [0x8fffe, 0x8ffff], [0x9fffe, 0x9ffff], [0xafffe, 0xaffff],
  [0xbfffe, 0xbffff], [0xcfffe, 0xcffff], [0xdfffe, 0xdffff], [0xefffe, 0xeffff],
];
const NEVER = Infinity;
const utf8 = new TextEncoder();

/** Cut a text into the pieces that merges never cross. */
export function split(text) {
  return text.match(PATTERN) ?? [];
}

/** [text, name, text, name, ..., text]: cut at each of the names; the longest first. */
export function cutAt(text, names) {
  if (!names.length) return [text];
  const sorted = [...names].sort((a, b) => b.length - a.length);
  const escaped = sorted.map((name) => name.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  return text.split(new RegExp(`(${escaped.join("|")})`, "u"));
}

export class Tokenizer {
  /** merges: Int32Array of left, right, left, right, ...; special: {name: id}; byteIds: 256 ids. */
  constructor({ merges, special, byteIds }) {
    this.special = special;
    this.byteIds = byteIds;
    this.newIds = new Map(); // "left right" -> id
    this.bytes = [];
    for (let byte = 0; byte < 256; byte++) this.bytes[byteIds[byte]] = [byte];
    this.merges = [];
    for (let k = 0; k < merges.length / 2; k++) {
      const pair = [merges[2 * k], merges[2 * k + 1]];
      this.merges.push(pair);
      this.newIds.set(pair.join(" "), 256 + k);
      this.bytes.push([...this.bytes[pair[0]], ...this.bytes[pair[1]]]);
    }
    for (const [name, id] of Object.entries(special)) this.bytes[id] = [...utf8.encode(name)];
    this.names = new Map(Object.entries(special).map(([name, id]) => [id, name]));
    this.eosId = special["<|endoftext|>"] ?? null;
  }

  get vocabSize() {
    return this.bytes.length;
  }

  /** The ids of a text; with `allowSpecial`, a special token's name is that token. */
  encode(text, { allowSpecial = false, merges = this.merges.length } = {}) {
    if (/\p{Surrogate}/u.test(text)) throw new Error("text: half of a character stands alone");
    const names = allowSpecial ? Object.keys(this.special) : [];
    const ids = [];
    cutAt(text, names).forEach((part, place) => {
      if (place % 2) ids.push(this.special[part]);
      else for (const piece of split(part)) ids.push(...this.encodePiece(piece, merges));
    });
    return ids;
  }

  /** The ids of one piece, with the first so many merges: the pair learned first, again and again. */
  encodePiece(piece, merges = this.merges.length) {
    let ids = Array.from(utf8.encode(piece), (byte) => this.byteIds[byte]);
    for (;;) {
      let best = NEVER;
      for (let i = 0; i + 1 < ids.length; i++) {
        const id = this.newIds.get(`${ids[i]} ${ids[i + 1]}`) ?? NEVER;
        if (id < best) best = id;
      }
      if (best >= 256 + merges) return ids;
      ids = merge(ids, this.merges[best - 256], best);
    }
  }

  /** The text that the ids stand for; bytes that are not UTF-8 become U+FFFD. */
  decode(ids) {
    const bytes = ids.flatMap((id) => this.bytes[id]);
    return new TextDecoder("utf-8", { ignoreBOM: true }).decode(new Uint8Array(bytes));
  }

  /** One token so that all of it can be seen, as `token_str`; an id that it lacks as <id>. */
  tokenStr(id) {
    const bytes = this.bytes[id];
    if (bytes === undefined) return `<${id}>`;
    let shown = "";
    for (let i = 0; i < bytes.length; ) {
      const character = firstCharacter(bytes, i);
      shown += character === null ? hex([bytes[i]]) : seen(character);
      i += character === null ? 1 : utf8.encode(character).length;
    }
    return shown;
  }
}

/** Replace a pair by newId wherever it stands, from left to right. */
export function merge(ids, [left, right], newId) {
  const out = [];
  for (let i = 0; i < ids.length; i++) {
    if (ids[i] === left && ids[i + 1] === right) {
      out.push(newId);
      i++;
    } else out.push(ids[i]);
  }
  return out;
}

/** The character whose UTF-8 begins at place i, or null. */
function firstCharacter(bytes, i) {
  const first = bytes[i];
  const length = first < 0x80 ? 1 : first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  if (!length || i + length > bytes.length) return null;
  try {
    const whole = new Uint8Array(bytes.slice(i, i + length));
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(whole);
  } catch {
    return null;
  }
}

function seen(character) {
  const named = { " ": "␣", "\n": "⏎", "\t": "⇥" }[character];
  if (named) return named;
  const code = character.codePointAt(0);
  const unseen = UNSEEN.some(([first, last]) => first <= code && code <= last);
  return unseen ? hex(utf8.encode(character)) : character;
}

function hex(bytes) {
  return Array.from(bytes, (b) => `<${b.toString(16).toUpperCase().padStart(2, "0")}>`).join("");
}
