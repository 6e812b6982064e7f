// A page of the course: its explorers come alive as they come into view, and its answers are kept.

import * as kept from "./answers.js";
import { button } from "./controls.js";
import { make, put, say } from "./dom.js";
import { bytesOf, jsonOf, traitsOf } from "./files.js";
import { Host } from "./host.js";
import { loadTokenizer } from "./kernel.js";
import { Recording } from "./recording.js";
import { adopt } from "./style.js";
import { Truth } from "./truth.js";

const AHEAD = "400px"; // below the window: what is so near is made ready

/** What the kernel would answer. told: as tools/website/data.py writes it. */
function answersOf(told) {
  const found = { reread: () => ({}) };
  const once = (make) => {
    let made = null;
    return () => {
      made ??= make();
      made.catch(() => (made = null)); // the next question tries again
      return made;
    };
  };
  const truth = once(async () => new Truth(await jsonOf(told.truth)));
  if (told.truth)
    found.truth = async ({ ids }, host) => {
      const [known, tokenizer] = await Promise.all([truth(), loadTokenizer(host)]);
      try {
        return { truth: [...known.nextTokens(tokenizer, ids)] };
      } catch (error) {
        return { note: `No truth here: ${error.message}` };
      }
    };
  if (told.beside)
    found.beside = async (_, host) => {
      host.set("shared_beside", await traitsOf(told.beside));
      return {};
    };
  if (told.commit)
    found.commit = ({ chosen }) => {
      kept.record({ ...told.commit, chosen, right: chosen === told.commit.right });
      showAnswers();
      return {};
    };
  if (told.prompt) {
    const recording = once(() => recordingOf(told.prompt, truth));
    found.prompt = async ({ prompt }) => (await recording()).see(prompt);
  }
  return found;
}

async function recordingOf(told, truth) {
  const [history, shared, known] = await Promise.all([
    bytesOf(told.history), traitsOf(told.tokenizer), told.truth && truth(),
  ]);
  const tokenizer = await loadTokenizer({ get: () => shared });
  return new Recording(told, history, tokenizer, known);
}

/** A question goes on where its reader left it. */
function resume(traits, asked) {
  const name = JSON.stringify([asked.lesson, asked.question, asked.kind]);
  traits.chosen = kept.latest(asked);
  traits.compared = traits.chosen !== null && kept.remembers(name);
  return (host) =>
    host.on("change:compared", () => {
      if (host.get("compared")) kept.remember(name);
    });
}

const questions = new Map(); // file -> a promise of its host: what is compared is what was answered

/** What stands for the kernel of an explorer. ref: its file. */
function hostOf(ref, told) {
  if (!told.answers.commit) return begun(told);
  if (!questions.has(ref.file)) {
    const asked = begun(told);
    asked.catch(() => questions.delete(ref.file)); // the next one who asks tries again
    questions.set(ref.file, asked);
  }
  return questions.get(ref.file);
}

async function begun(told) {
  const traits = await traitsOf(told.traits);
  const question = traits.prediction?.$question;
  if (question) traits.prediction = await hostOf(question, await jsonOf(question));
  const follow = told.answers.commit && resume(traits, told.answers.commit);
  const host = new Host(traits, answersOf(told.answers));
  follow?.(host);
  return host;
}

async function open(place) {
  const ref = JSON.parse(place.dataset.explorer);
  const told = await jsonOf(ref);
  const [host, script] = await Promise.all([hostOf(ref, told), import(`./${told.script}.js`)]);
  const el = make("div", {});
  await script.default.render({ model: host, el });
  put(place, el);
}

/** Open an explorer; if that fails, say so above its picture, and offer to try again. */
async function mount(place) {
  const loading = make("p", { class: "course-loading", role: "status" }, "Loading …");
  place.append(loading);
  try {
    await open(place);
  } catch (error) {
    console.error(error); // for who looks for a fault of ours
    place.querySelector(":scope > .course-trouble")?.remove();
    place.prepend(trouble(error, () => mount(place)));
  } finally {
    loading.remove();
  }
}

function trouble(error, again) {
  adopt();
  const why = error instanceof TypeError ? "a file that it needs did not arrive" : error.message;
  const words = make("p", {}, `⚠ This explorer did not start: ${why}. You see its picture. `);
  words.append(button({ name: "Try again", onClick: again }).root);
  return make("div", { class: "gptlib-live course-trouble", role: "alert" }, words);
}

// ---- The reader's answers ----

function showAnswers() {
  const place = document.querySelector(".course-answers");
  if (!place) return;
  const count = kept.answers().length;
  place.hidden = count === 0;
  const words = place.querySelector(".course-count");
  if (words) return say(words, inWords(count));
  adopt();
  const save = button({ name: "Save your answers", hint: "as answers.jsonl", onClick: download });
  const forget = button({
    name: "Forget them", hint: "from this browser",
    onClick: () => {
      kept.forget();
      location.reload();
    },
  });
  put(place, make("div", { class: "gptlib-live gptlib-row" },
    make("span", { class: "course-count", role: "status" }, inWords(count)), save.root, forget.root));
}

function inWords(count) {
  return `${count} answer${count === 1 ? " is" : "s are"} kept in this browser, and nowhere else.`;
}

function download() {
  const address = URL.createObjectURL(kept.file());
  const link = document.createElement("a");
  link.href = address;
  link.download = "answers.jsonl";
  link.click();
  URL.revokeObjectURL(address);
}

// ---- The page ----

const seen = new IntersectionObserver((entries) => {
  for (const { isIntersecting, target } of entries)
    if (isIntersecting) {
      seen.unobserve(target);
      mount(target);
    }
}, { rootMargin: AHEAD });

/** What is wider than its place can be reached, and moved, by keyboard. */
function reach(entries) {
  for (const { target } of entries) {
    if (target.scrollWidth > target.clientWidth) target.tabIndex = 0;
    else target.removeAttribute("tabindex");
  }
}

const wide = new ResizeObserver(reach);
for (const node of document.querySelectorAll("article pre, div.math, .table-wrapper"))
  wide.observe(node);
for (const place of document.querySelectorAll("[data-explorer]")) seen.observe(place);
showAnswers();
