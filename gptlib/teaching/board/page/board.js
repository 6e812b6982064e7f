// The teacher's page: it shows the key once, and then what the server tells it, as it comes.

import { counted, exercises, make, question, spaced } from "./parts.js";

const QUIET = 25000; // milliseconds without news after which the board is gone: it sends every 10 s
const at = (id) => document.getElementById(id);

let told = "", course = null, state = null, chosen = null; // chosen: [lesson, name of a question]
let turned = false; // whether the page is where the teacher, or the class's first answer, turned it
let shownQuestion = null, shownExercises = null, source = null, lastNews = 0;

// ---- The server ----

/** Send something to the server; what went wrong, or "". */
async function post(what, body) {
  try {
    const reply = await fetch(`/teacher/${what}`, {
      method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body),
    });
    return reply.ok ? "" : `That was not done: ${(await reply.json()).error}.`;
  } catch {
    return "That was not done: the board does not reply.";
  }
}

function link(words, lost = false) {
  const place = at("link");
  if (place.textContent !== words) place.textContent = words;
  place.className = lost ? "lost" : "";
}

function listen() {
  source = new EventSource("/teacher/events");
  source.addEventListener("course", (event) => {
    if (event.data === told) return; // the same board again: the page stays where it is
    told = event.data;
    course = JSON.parse(told);
    begin();
  });
  source.addEventListener("state", (event) => {
    state = JSON.parse(event.data);
    lastNews = Date.now();
    link("live");
    update();
  });
  source.addEventListener("error", () => {
    if (source.readyState === EventSource.CLOSED)
      link("This page needs the teacher's key: open the address that the terminal shows.", true);
    else link("The board does not reply. Is it still running? Trying again …", true);
  });
}

setInterval(() => {
  if (lastNews && Date.now() - lastNews > QUIET) link("The board has gone quiet. Trying again …", true);
}, 2000);

// ---- The page ----

function begin() {
  at("room").textContent = course.open ? `Room ${course.room}` : "Collected files";
  at("address").textContent = course.open ? course.wall : "";
  const lessons = [...new Set([...course.questions, ...course.exercises].map((one) => one.lesson))].sort();
  const kept = at("lesson").value;
  at("lesson").replaceChildren(...lessons.map((lesson) => make("option", { value: lesson }, lesson)));
  if (lessons.includes(kept)) at("lesson").value = kept;
  chosen = null;
  turned = false;
}

function update() {
  if (!chosen || (!turned && state.last)) {
    turned = state.last !== null;
    choose(turned ? state.last[0] : at("lesson").value);
  }
  at("numbers").textContent = `${counted(state.seats, "student")}, ${counted(state.answers, "answer")}`;
  for (const button of at("questions").children) {
    const found = stateOf(button.dataset.name);
    const sum = (name) => found?.[name].reduce((a, b) => a + b, 0) ?? 0;
    button.lastChild.textContent = sum("after") ? `${sum("before")} → ${sum("after")}` : String(sum("before"));
    button.setAttribute("aria-pressed", String(button.dataset.name === chosen[1]));
  }
  shownQuestion?.update(stateOf(chosen[1]));
  shownExercises.update(state.exercises.filter((one) => one.lesson === chosen[0]));
}

const stateOf = (name) => state.questions.find((one) => one.lesson === chosen[0] && one.name === name);

/** Turn to a lesson, and to the question that was answered last, or the first. */
function choose(lesson) {
  at("lesson").value = lesson;
  const asked = course.questions.filter((one) => one.lesson === lesson);
  const last = asked.find((one) => state.last && one.lesson === state.last[0] && one.name === state.last[1]);
  at("questions").replaceChildren(...asked.map((one) => make("button", {
    type: "button", "data-name": one.name, onclick: () => { turned = true; turnTo(one); update(); },
  }, make("span", {}, spaced(one.name)), make("span"))));
  shownExercises = exercises(course.exercises.filter((one) => one.lesson === lesson));
  at("exercises").replaceChildren(shownExercises.root);
  chosen = [lesson, null];
  shownQuestion = null;
  at("question").replaceChildren();
  if (asked.length) turnTo(last ?? asked[0]);
}

function turnTo(asked) {
  chosen = [asked.lesson, asked.name];
  shownQuestion = question(asked, post);
  at("question").replaceChildren(shownQuestion.root);
}

at("lesson").addEventListener("change", () => {
  turned = true;
  choose(at("lesson").value);
  update();
});
at("theme").addEventListener("change", () => paint(at("theme").value));
at("covered").addEventListener("change", () => document.body.classList.toggle("covered", at("covered").checked));

function paint(theme) {
  document.documentElement.dataset.theme = theme;
  localStorage.setItem("gptlib-board-theme", theme);
}

// The key is after the # of the address, which no browser sends. It is given once, and then the
// address is without it: the class may see it on the projector.
async function enter() {
  at("theme").value = localStorage.getItem("gptlib-board-theme") ?? "";
  paint(at("theme").value);
  const key = location.hash.slice(1);
  if (key) {
    history.replaceState(null, "", location.pathname);
    const trouble = await post("open", { key });
    if (trouble) return link(trouble, true);
  }
  listen();
}

enter();
