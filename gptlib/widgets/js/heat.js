// Shares as shades of one hue on the page's own colour, and a table of them whose cells are chosen.

import { draw, put, say, set, style, two } from "./dom.js";
import { COLOURS } from "./style.js";

export const HEAT = "var(--jp-content-link-color, #0d47a1)";
export const STRONG = "var(--jp-content-font-color0, #000000)";
export const ON_HEAT = "var(--jp-ui-inverse-font-color0, #ffffff)";
const SHADES = 20; // from nothing to one
const PRINTED = 2.5; // em: a cell so wide has its number in it
const APART = 9; // pixels between two strokes over what is hidden, as figures have them

/** For a share: the opacity of HEAT, and the ink that is read on it (see svg.heat in Python). */
export function heat(share) {
  return share < 0.5 ? [1.2 * share, STRONG] : [0.5 + share / 2, ON_HEAT];
}

/** The same as style properties of an element with words in it. */
export function heated(share) {
  const [opacity, ink] = heat(share);
  const tint = `color-mix(in srgb, ${HEAT} ${(100 * opacity).toFixed(0)}%, ${COLOURS.PAPER})`;
  return { "background-color": tint, color: ink };
}

/** Squares of one shade in one path: [[x, y], ...] with sides of `size` pixels. */
function squares(places, size) {
  return places.map(([x, y]) => `M${x} ${y}h${size}v${size}h${-size}z`).join("");
}

/** Paths for the shades of a square table; rows: [(T,), ...]. */
export function shades(rows, size, left = 0, top = 0) {
  const found = Array.from({ length: SHADES + 1 }, () => []);
  rows.forEach((row, i) => row.forEach((share, j) =>
    found[Math.round(share * SHADES)].push([left + j * size, top + i * size])));
  return found.map((places) => squares(places, size));
}

/** What lies over the future of a square table: grey, and strokes, as figures have it. */
function futurePaths() {
  const area = draw("path", { fill: COLOURS.GRID, "fill-opacity": "0.45" });
  const strokes = draw("path", { fill: "none", stroke: COLOURS.GRID });
  return {
    root: draw("g", {}, area, strokes),
    /** count: of tokens; 0 where nothing is hidden. size: of a cell. */
    update(count, size, left = 0, top = 0) {
      const all = count * size;
      let stairs = count > 1 ? `M${left + size} ${top}H${left + all}V${top + all - size}` : "";
      for (let k = count - 1; k > 0; k--) stairs += `H${left + k * size}V${top + (k - 1) * size}`;
      set(area, { d: stairs && `${stairs}z` });
      set(strokes, { d: slanted(count, size, left, top) });
    },
  };
}

/** Lines from lower left to upper right, over all cells above the diagonal. */
function slanted(count, size, left, top) {
  const all = count * size;
  let lines = "";
  for (let sum = size + APART / 2; sum < 2 * all - size; sum += APART) { // x + y of its points
    const row = Math.floor((sum / size - 1) / 2); // in which the line meets the stairs
    const high = Math.max(0, sum - all);
    const low = Math.min((row + 1) * size, sum - (row + 1) * size);
    if (low > high)
      lines += `M${(left + sum - high).toFixed(1)} ${(top + high).toFixed(1)}L${(left + sum - low).toFixed(1)} ${(top + low).toFixed(1)}`;
  }
  return lines;
}

function shadePaths() {
  return Array.from({ length: SHADES + 1 }, (_, k) => draw("path", {
    fill: HEAT, "fill-opacity": heat(k / SHADES)[0].toFixed(3), class: "gptlib-shade",
  }));
}

/** A small table without words; update(rows, side in pixels, whether the future is hidden). */
export function smallTable() {
  const paths = shadePaths();
  const future = futurePaths();
  const edge = draw("rect", { x: 0.5, y: 0.5, fill: "none", stroke: COLOURS.GRID });
  const root = draw("svg", { "aria-hidden": "true" }, future.root, ...paths, edge);
  return {
    root,
    update(rows, side, masked) {
      set(root, { width: side, height: side });
      set(edge, { width: side - 1, height: side - 1 });
      future.update(masked ? rows.length : 0, side / rows.length);
      shades(rows, side / rows.length).forEach((d, k) => set(paths[k], { d: k ? d : "" }));
    },
  };
}

/** (T, T) -> at most `bins` rows and columns: the largest of each square. */
export function pooled(rows, bins = 16) {
  const each = Math.ceil(rows.length / bins);
  if (each === 1) return rows;
  const many = Math.ceil(rows.length / each);
  const small = Array.from({ length: many }, () => new Array(many).fill(0));
  rows.forEach((row, i) => row.forEach((share, j) => {
    const [a, b] = [Math.floor(i / each), Math.floor(j / each)];
    small[a][b] = Math.max(small[a][b], share);
  }));
  return small;
}

const MOVES = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };

/**
 * A table of weights, queries down and keys across. A click, or the arrow keys, choose a cell.
 *
 * update({names, rows, masked, query, key, focus, side, label}): focus: places whose rows are
 * framed; side: pixels that the cells may take; label: all of it in words.
 */
export function heatTable({ onChoose }) {
  const future = futurePaths();
  const parts = {
    paper: draw("rect", { fill: COLOURS.PAPER, stroke: COLOURS.GRID }),
    future: future.root,
    shades: draw("g", {}, ...shadePaths()),
    numbers: draw("g", {}),
    frames: draw("path", { fill: "none", stroke: COLOURS.ORANGE, "stroke-width": 2, "stroke-dasharray": "5 3" }),
    row: draw("rect", { fill: "none", stroke: STRONG, "stroke-width": 2 }),
    cell: draw("rect", { fill: "none", stroke: COLOURS.ORANGE, "stroke-width": 3 }),
    labels: draw("g", {}),
  };
  const root = draw("svg", {
    class: "gptlib-weight-table", role: "group", tabindex: "0", "data-lm-suppress-shortcuts": "true",
    "aria-roledescription": "table of weights",
  }, ...Object.values(parts));
  let view = null;
  let place = null; // {left, top, size}

  root.addEventListener("click", (event) => {
    const box = root.getBoundingClientRect();
    const at = (start, from) => Math.floor((start - from) / place.size);
    const [query, key] = [at(event.clientY - box.top, place.top), at(event.clientX - box.left, place.left)];
    const inside = (k) => k >= 0 && k < view.names.length;
    if (inside(query)) onChoose(query, inside(key) ? key : null);
  });
  root.addEventListener("keydown", (event) => {
    const move = MOVES[event.key];
    if (!move) return;
    event.preventDefault();
    const many = view.names.length;
    const [query, key] = [view.query + move[0], view.key + move[1]];
    if (query >= 0 && query < many && key >= 0 && key < many) onChoose(query, key, move[0] !== 0);
  });

  return {
    root,
    update(next) {
      view = next;
      place = layout(view);
      future.update(view.masked ? view.names.length : 0, place.size, place.left, place.top);
      paint(root, parts, view, place);
    },
  };
}

/** Where the cells begin, how large they are, and which words are beside and above them. */
function layout({ names, side, em, query, key, focus = [] }) {
  const count = names.length;
  const size = Math.max(4, Math.floor(Math.min(3.1 * em, side / count)));
  const short = names.map((name) => clip(name, 8));
  const long = (words) => words.length * 0.61 * em;
  const left = Math.ceil(Math.max(...short.map(long)) + 0.5 * em);
  const every = Math.ceil((1.05 * em) / size);
  const always = [query, ...focus];
  const shown = [];
  for (const k of [...always, ...names.keys()])
    if (!shown.includes(k) && (k === query || shown.every((other) => Math.abs(other - k) >= every)))
      shown.push(k);
  const fits = Math.max(...short.map(long)) <= size - 2;
  return { size, left, top: Math.ceil(1.5 * em), short, shown, above: fits ? [...names.keys()] : [key], em };
}

/** Words of at most `most` signs. */
export function clip(words, most) {
  const signs = [...words];
  return signs.length <= most ? words : `${signs.slice(0, most - 1).join("")}…`;
}

function paint(root, parts, view, { size, left, top, short, shown, above, em }) {
  const { rows, query, key, focus = [], label } = view;
  const count = rows.length;
  const all = count * size;
  const wide = left + all + 2;
  set(root, { width: wide, height: top + all + 3, "aria-label": label });
  set(parts.paper, { x: left, y: top, width: all, height: all });
  shades(rows, size, left, top).forEach((d, k) => set(parts.shades.children[k], { d: k ? d : "" }));
  set(parts.row, { x: left - 1, y: top + query * size - 1, width: all + 2, height: size + 2 });
  set(parts.cell, { x: left + key * size, y: top + query * size, width: size, height: size });
  set(parts.frames, {
    d: focus.filter((k) => k !== query)
      .map((k) => `M${left - 1} ${top + k * size - 1}h${all + 2}v${size + 2}h${-all - 2}z`).join(""),
  });
  paintNumbers(parts.numbers, view, size, left, top, em);
  const beside = shown.map((k) => ({
    x: left - 0.3 * em, y: top + (k + 0.5) * size + 0.35 * em, words: short[k], anchor: "end",
    bold: k === query || focus.includes(k),
  }));
  const over = above.map((k) => {
    const half = short[k].length * 0.305 * em;
    const x = Math.min(left + (k + 0.5) * size, wide - half);
    return { x, y: top - 0.4 * em, words: short[k], anchor: "middle", bold: k === key };
  });
  write(parts.labels, [...beside, ...over]);
}

function paintNumbers(group, { rows, masked, query }, size, left, top, em) {
  const found = [];
  if (size >= PRINTED * em)
    rows.forEach((row, i) => row.forEach((share, j) => {
      const hidden = masked && j > i;
      const shade = Math.round(share * SHADES) / SHADES;
      found.push({
        x: left + (j + 0.5) * size, y: top + (i + 0.5) * size + 0.35 * em,
        words: hidden ? "0" : two(share), anchor: "middle", ink: hidden ? STRONG : heat(shade)[1],
        bold: i === query && !hidden,
      });
    }));
  write(group, found);
}

/** These words as text, nodes kept. */
function write(group, all) {
  while (group.children.length > all.length) group.lastChild.remove();
  all.forEach(({ x, y, words, anchor, bold, ink = STRONG }, k) => {
    const node = group.children[k] ?? group.appendChild(draw("text", { class: "gptlib-code" }));
    say(node, words);
    set(node, { x: x.toFixed(1), y: y.toFixed(1), "text-anchor": anchor, fill: ink });
    style(node, { "font-weight": bold ? "700" : "400" });
  });
}

/** What the shades mean. */
export function legend() {
  const steps = [0, 0.25, 0.5, 0.75, 1].map((share) => {
    const node = document.createElement("span");
    node.textContent = String(share);
    return style(node, { ...heated(share), padding: "0 .45em" });
  });
  const root = document.createElement("span");
  root.className = "gptlib-legend";
  return put(root, ...steps);
}

export const HEAT_CSS = `
.gptlib-weight-table { display: block; max-width: none; cursor: pointer; overflow: visible;
  forced-color-adjust: none; }
.gptlib-shade { shape-rendering: crispEdges; }
.gptlib-legend { display: inline-flex; border: 1px solid ${COLOURS.GRID}; forced-color-adjust: none; }
`;
