// Lesson 01 in the browser: text to token ids and back, byte-level BPE as gptlib/tokenizer.py does.
// tests/widgets/test_js.py holds the ids equal.

// Python's \s is Unicode's White_Space; JavaScript's own \s is another set.
const SPACE = String.raw`\p{White_Space}`;
const PATTERN = new RegExp(
  String.raw`'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^${SPACE}\p{L}\p{N}]+` +
    String.raw`|${SPACE}+(?!\P{White_Space})|${SPACE}+`,
  "gu",
);
// What prints as nothing, or disturbs the line it is printed on.
const UNSEEN =
  /[\x00-\x1f\x7f-\xa0\xad\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g; // eslint-disable-line
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
  return named ?? character.replace(UNSEEN, (found) => hex(utf8.encode(found)));
}

function hex(bytes) {
  return Array.from(bytes, (b) => `<${b.toString(16).toUpperCase().padStart(2, "0")}>`).join("");
}
