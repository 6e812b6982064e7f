// The grammar's truth: which words may come after a text, with which probabilities.
//
// The table is made from gptlib/corpora/pets.py by tools/website/grammar.py; the words are cut out
// of a text, and brought into tokens, as gptlib does (corpora/pets.py, widgets/truth.py).

const WORDS = /<\|endoftext\|>|[\p{L}\p{Nl}\p{No}]+|\S/gu;
const BEFORE = 6; // words that an error repeats

export class Truth {
  constructor(table) {
    this.table = table;
    this.places = new Map(table.words.map((word, place) => [word, place]));
  }

  /** Map of word -> probability after a text; an Error names the first word that cannot be. */
  nextWords(text) {
    const words = text.match(WORDS) ?? [];
    let state = this.table.start;
    words.forEach((word, k) => {
      const next = this.ways(state).find(({ place }) => place === this.places.get(word));
      if (!next) throw new Error(this.trouble(words, k, state));
      state = next.state < 0 ? this.table.start : next.state;
    });
    const { words: names } = this.table;
    return new Map(this.ways(state).map(({ place, p }) => [names[place], p]));
  }

  ways(state) {
    const { states, probabilities } = this.table;
    const row = states[state];
    return Array.from({ length: row.length / 3 }, (_, k) => ({
      place: row[3 * k], p: probabilities[row[3 * k + 1]], state: row[3 * k + 2],
    }));
  }

  trouble(words, k, state) {
    const heard = words.slice(Math.max(0, k - BEFORE), k).join(" ") || "the start";
    const allowed = this.ways(state).map(({ place }) => this.table.words[place]).join(", ");
    return (
      `the pets grammar cannot say ${quoted(words[k])} (word ${k + 1}) after ${quoted(heard)}; ` +
      `it can say: ${allowed}`
    );
  }

  /** Map of token id -> probability after these ids; a word's first token has all of it. */
  nextTokens(tokenizer, ids) {
    const story = ids.slice(ids.lastIndexOf(tokenizer.eosId) + 1); // it knows of none before it
    const prefix = tokenizer.decode(story);
    const apart = prefix !== "" && !/\s$/u.test(prefix);
    const found = new Map();
    for (const [word, p] of this.nextWords(prefix)) {
      const spaced = apart && /^[\p{L}\p{N}]/u.test(word) ? ` ${word}` : word;
      const [id] = tokenizer.encode(spaced, { allowSpecial: true });
      found.set(id, (found.get(id) ?? 0) + p);
    }
    return found;
  }
}

/** A word in quotes, as Python's repr has it. */
function quoted(word) {
  const sign = word.includes("'") && !word.includes('"') ? '"' : "'";
  return sign + word.replaceAll("\\", "\\\\").replaceAll(sign, `\\${sign}`) + sign;
}
