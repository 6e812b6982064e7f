// A reader's answers, kept in this browser alone: one line of JSON each, as gptlib keeps them.
// The fields are those of gptlib/storage/answers.py, so that `gptlib tally` reads what is saved here.

const KEPT = "gptlib.answers.jsonl";
const COMPARED = "gptlib.compared";
const NOTHING_KEPT = "this browser keeps nothing for this page";

/** All answers, the oldest first; what is no line of ours is left out. */
export function answers() {
  return read(KEPT).flatMap((line) => {
    try {
      const answer = JSON.parse(line);
      return typeof answer?.question === "string" ? [answer] : [];
    } catch {
      return [];
    }
  });
}

/** Keep an answer. An Error says that the browser does not. */
export function record({ lesson, question, kind, chosen, right }) {
  const time = new Date().toISOString().replace(/\.\d+Z$/, "+00:00");
  const line = JSON.stringify({ lesson, question, kind, chosen, right, time });
  if (!add(KEPT, line)) throw new Error(NOTHING_KEPT);
}

/** What was answered last, or null. */
export function latest({ lesson, question, kind }) {
  const same = (one) => one.lesson === lesson && one.question === question && one.kind === kind;
  return answers().findLast(same)?.chosen ?? null;
}

/** Keep that a prediction was compared; where nothing is kept, the next visit asks it again. */
export function remember(name) {
  if (!remembers(name)) add(COMPARED, name);
}

export function remembers(name) {
  return read(COMPARED).includes(name);
}

export function forget() {
  for (const key of [KEPT, COMPARED]) localStorage.removeItem(key);
}

/** The file that `gptlib tally` reads. */
export function file() {
  const lines = answers().map((answer) => `${JSON.stringify(answer)}\n`);
  return new Blob(lines, { type: "application/jsonl" });
}

function read(key) {
  try {
    return (localStorage.getItem(key) ?? "").split("\n").filter(Boolean);
  } catch {
    return []; // storage is switched off
  }
}

/** Whether the line is kept: storage may be switched off, or full. */
function add(key, line) {
  try {
    localStorage.setItem(key, [...read(key), line, ""].join("\n"));
    return true;
  } catch {
    return false;
  }
}
