// Bars of one distribution beside others, a shape for each so that colour is not needed: filled,
// dashed, a diamond, a thin bar below; and the numbers of all of them in columns.

import { chance, make, rounded, say, set, style, whole } from "./dom.js";

const KEYS = ["gptlib-fill", "gptlib-beside", "gptlib-true", "gptlib-many"];

/**
 * row: {name, now, beside, truth, drawn, cut, picked}; what is null is not shown. A row that says
 * `cut` is 0 because a filter took it out. picked: it is framed.
 *
 * update(rows, {columns, draws, label}): columns: names of now, beside, truth and drawn, null for
 * none. draws: how many draws there were. label: all of it in words, for a screen reader.
 */
export function bars({ most = 9 } = {}) {
  const root = make("div", { class: "gptlib-bars", role: "img" });
  const heads = KEYS.map((key) => {
    const words = make("span");
    const sign = make("span", { class: `gptlib-key ${key}` });
    return { root: make("span", { class: "gptlib-right gptlib-head" }, sign, words), words };
  });
  const pool = Array.from({ length: most }, makeRow);
  const ticks = make("div", { class: "gptlib-ticks gptlib-faint" });
  for (const [at, words] of [[0, "0"], [50, "0.5"], [100, "1"]])
    ticks.append(style(make("span", {}, words), { left: `${at}%` }));
  let shape = "";

  function layout(columns, count) {
    const now = JSON.stringify([columns.map(Boolean), count]);
    if (now === shape) return;
    shape = now;
    const used = columns.map((name, kind) => (name ? kind : -1)).filter((kind) => kind >= 0);
    // The numbers of "beside" are the first to go where there is no room, and those of "truth" next:
    // its diamonds stay.
    const spared = [used.length > 2 && 1, used.length > 3 && 2];
    const spare = (kind, node) => {
      node.classList.toggle("gptlib-optional", spared[0] === kind);
      node.classList.toggle("gptlib-rare", spared[1] === kind);
      return node;
    };
    const cells = [make("span"), make("span"), ...used.map((kind) => spare(kind, heads[kind].root))];
    for (const row of pool.slice(0, count)) {
      cells.push(row.name, row.track, ...used.map((kind) => spare(kind, row.numbers[kind])));
    }
    cells.push(make("span"), ticks, ...used.map((kind) => spare(kind, make("span"))));
    root.replaceChildren(...cells);
    const few = used.length - (used.length > 2);
    style(root, { "--columns": used.length, "--few": few, "--fewest": Math.min(few, 2) });
  }

  return {
    root,
    update(rows, { columns, draws = 1, label }) {
      layout(columns, rows.length);
      set(root, { "aria-label": label });
      columns.forEach((name, kind) => name && say(heads[kind].words, name));
      rows.forEach((row, place) => pool[place].show(row, draws));
    },
  };
}

function makeRow() {
  const name = make("span", { class: "gptlib-name gptlib-code" });
  const [now, beside, truth, many] = KEYS.map((key) => make("div", { class: key }));
  const track = make("div", { class: "gptlib-track" }, now, beside, many, truth);
  const numbers = KEYS.map((_, kind) =>
    make("span", { class: `gptlib-right${kind ? "" : " gptlib-now"}` }),
  );
  const long = (p) => `${100 * Math.max(rounded(p), p > 0 ? 0.004 : 0)}%`;
  const shown = (node, is) => (node.hidden = !is);
  return {
    name, track, numbers,
    show(row, draws) {
      say(name, row.name);
      set(name, { title: row.name });
      style(now, { width: long(row.now) });
      track.classList.toggle("gptlib-picked", Boolean(row.picked));
      shown(beside, row.beside > 0 && chance(row.beside) !== chance(row.now));
      if (row.beside > 0) style(beside, { width: long(row.beside) });
      shown(truth, row.truth > 0);
      if (row.truth > 0) style(truth, { left: long(row.truth) });
      shown(many, row.drawn > 0);
      if (row.drawn > 0) style(many, { width: `${(100 * row.drawn) / draws}%` });
      say(numbers[0], row.cut ? "cut" : chance(row.now));
      say(numbers[1], row.beside == null ? "" : chance(row.beside));
      say(numbers[2], row.truth == null ? "" : chance(row.truth));
      say(numbers[3], row.drawn == null ? "" : whole(row.drawn));
    },
  };
}

/** The rows in words, for those who hear the picture. */
export function spoken(rows) {
  return rows
    .map((row) => {
      const more = row.truth == null ? [] : [`truth ${chance(row.truth)}`];
      if (row.drawn != null) more.push(`drawn ${row.drawn} times`);
      const now = row.cut ? "cut" : chance(row.now);
      return `${row.name} ${now}${more.length ? ` (${more.join(", ")})` : ""}`;
    })
    .join(", ");
}
