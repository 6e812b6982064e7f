// Parts of the teacher's page. Every word reaches it as text, never as markup.

/** An element with attributes, and children that are elements or text. */
export function make(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "onclick") made.addEventListener("click", value);
    else if (value !== null && value !== undefined) made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

/** Words with what is in backquotes as code. */
export function marked(words) {
  return words.split("`").map((part, k) => (k % 2 ? make("code", {}, part) : part));
}

export const spaced = (name) => name.replaceAll("_", " ");
export const counted = (n, one) => `${n} ${one}${n === 1 ? "" : "s"}`;

/** One cell of a vote: a bar and how many that is. `update(n, total)`. */
export function voteCell(name) {
  const bar = make("div", { class: "bar" });
  const share = make("span", { class: "share" });
  const root = make("td", { class: `vote ${name}` }, bar, share);
  return {
    root,
    update(n, total) {
      bar.hidden = !total;
      bar.style.width = total ? `${(100 * n) / total}%` : "0";
      share.textContent = total ? `${n} (${Math.round((100 * n) / total)} %)` : "–";
    },
  };
}

/** A question with its bars and what the teacher can do; `update(state)`. */
export function question(asked, post) {
  const rows = asked.choices.map((choice) => {
    const before = voteCell("before"), after = voteCell("after");
    const name = make("th", { scope: "row" }, ...marked(choice));
    return { choice, before, after, name, root: make("tr", {}, name, before.root, after.root) };
  });
  const heads = ["before the discussion", "after it"].map((words) => make("th", { scope: "col" }, words));
  const table = make("table", {},
    make("thead", {}, make("tr", {}, make("th", { scope: "col" }, "answer"), ...heads)),
    make("tbody", {}, ...rows.map((row) => row.root)));
  const again = make("button", { type: "button", onclick: () => act("vote", { vote: now.vote === 1 ? 2 : 1 }) });
  const show = make("button", { type: "button", onclick: () => act("show", { shown: now.right === null }) });
  const trouble = make("p", { role: "alert" });
  const said = make("p", { class: "faint" });
  const root = make("div", {}, make("h3", {}, ...marked(asked.words)), table,
    make("p", { class: "controls" }, again, show), said, trouble);
  let now = null;

  async function act(what, more) {
    trouble.textContent = await post(what, { lesson: asked.lesson, name: asked.name, ...more });
  }

  function update(state) {
    now = state ?? { before: rows.map(() => 0), after: rows.map(() => 0), vote: 1, right: null };
    const sums = ["before", "after"].map((name) => now[name].reduce((a, b) => a + b, 0));
    rows.forEach((row, k) => {
      row.before.update(now.before[k], sums[0]);
      row.after.update(now.after[k], sums[1]);
      const right = row.choice === now.right;
      row.root.className = right ? "right" : "";
      row.name.replaceChildren(...(right ? ["✔ "] : []), ...marked(row.choice));
    });
    heads[0].textContent = `before the discussion (${sums[0]})`;
    heads[1].textContent = `after it (${sums[1]})`;
    again.textContent = now.vote === 1 ? "Open the vote after the discussion" : "Back to the first vote";
    show.textContent = now.right === null ? "Show the answer" : "Hide the answer";
    said.textContent = now.vote === 1 ? "New votes count as before the discussion."
      : "New votes count as after the discussion. Students run the question's cell again and choose.";
  }

  return { root, update };
}

/** The table of a lesson's exercises; `update(states)` fills it anew. */
export function exercises(known) {
  const heads = ["exercise", "tried", "passed", "stuck", "commonest mistakes"];
  const body = make("tbody");
  const table = make("table", {},
    make("thead", {}, make("tr", {}, ...heads.map((words, k) =>
      make("th", { scope: "col", class: k && k < 4 ? "number" : "" }, words)))), body);
  const root = make("div", {}, table, make("p", { class: "faint" },
    "Numbers of students. Stuck: three tries or more, and not passed."));

  function row(exercise, state) {
    const number = (n, look = "") => make("td", { class: `number ${look}` }, String(n));
    const mistakes = state.mistakes.slice(0, 3).map(([name, n]) =>
      make("li", {}, `${n} × `, ...marked(name)));
    return make("tr", {},
      make("th", { scope: "row" }, spaced(exercise.name), make("div", { class: "faint" }, ...marked(exercise.words))),
      number(state.tried), number(state.passed), number(state.stuck, state.stuck ? "stuck" : ""),
      make("td", {}, mistakes.length ? make("ul", { class: "mistakes" }, ...mistakes) : "–"));
  }

  function update(states) {
    const none = { tried: 0, passed: 0, stuck: 0, mistakes: [] };
    body.replaceChildren(...known.map((exercise) =>
      row(exercise, states.find((state) => state.name === exercise.name) ?? none)));
  }

  return { root, update };
}
