// Curves over steps, with level lines, each named at its end; drawn in pixels for the room there is.

import { draw, put, set, style, two, whole } from "./dom.js";
import { onWidth } from "./base.js";
import { COLOURS } from "./style.js";

const LOOKS = [[COLOURS.BLUE, false], [COLOURS.ORANGE, true], ["#7a7a7a", false]]; // colour, dots

/**
 * show({series, levels, xMax, log, mark, label}): series: {name: [[x, y], ...]}, levels: {name: y},
 * mark: an x where a line stands. onPick(x): somebody clicks into the chart. Of the same curves, it
 * alone moves.
 */
export function chart({ height = 14, onPick } = {}) {
  const root = draw("svg", { class: "gptlib-chart", role: "img" });
  style(root, { height: `${height}em` }); // so that larger letters are a change of its size
  let shown = null;
  let [width, em] = [0, 0]; // pixels
  let axis = null;
  let drawn = []; // what the curves were drawn from
  const pointer = draw("g", {});
  const paint = () => {
    if (!shown || width < 60) return;
    const { series, levels, xMax, log, mark = null } = shown;
    const now = [width, em, series, levels, xMax, log, mark === null];
    if (now.some((part, k) => part !== drawn[k])) {
      drawn = now;
      axis = frame(shown, width, height * em, em);
      set(root, { viewBox: `0 0 ${width} ${height * em}` });
      put(pointer, line(0, axis.top, 0, axis.bottom, COLOURS.INK, { "stroke-width": 2 }),
        draw("path", { d: `M-6 ${axis.top - 8}h12l-6 9z`, fill: COLOURS.INK }));
      put(root, ...picture(shown, axis, em), ...(mark === null ? [] : [pointer]));
    }
    set(root, { "aria-label": shown.label });
    if (mark !== null) set(pointer, { transform: `translate(${axis.x(mark)} 0)` });
  };
  const stop = onWidth(root, (now) => {
    width = now;
    em = parseFloat(getComputedStyle(root).fontSize);
    paint();
  });
  if (onPick)
    root.addEventListener("click", (event) => {
      const at = event.clientX - root.getBoundingClientRect().left;
      if (axis) onPick(axis.xAt(at));
    });
  return {
    root, stop,
    show(next) {
      shown = next;
      paint();
    },
  };
}

function frame({ series, levels = {}, xMax, log }, width, height, em) {
  const names = [...Object.keys(series), ...Object.keys(levels)];
  const room = Math.min(0.55 * width, em * (0.58 * Math.max(0, ...names.map((n) => n.length)) + 4.4));
  const [left, right, top, bottom] = [2.6 * em, width - room, 0.6 * em, height - 2.4 * em];
  const values = Object.values(series).flatMap((points) => points.map(([, y]) => y));
  const high = 1.05 * Math.max(0, ...values.filter(Number.isFinite), ...Object.values(levels)) || 1;
  const along = (x) => (log ? Math.log1p(x) / Math.log1p(xMax || 1) : x / (xMax || 1));
  return {
    left, right, top, bottom, high, width, height,
    x: (x) => left + (right - left) * along(x),
    y: (y) => bottom - ((bottom - top) * y) / high,
    xAt(pixel) {
      const share = Math.min(1, Math.max(0, (pixel - left) / (right - left)));
      return log ? Math.expm1(share * Math.log1p(xMax || 1)) : share * (xMax || 1);
    },
  };
}

function words(x, y, text, anchor = "start", fill = COLOURS.INK) {
  return draw("text", { x: x.toFixed(1), y: y.toFixed(1), "text-anchor": anchor, fill }, text);
}

function line(x1, y1, x2, y2, stroke, more = {}) {
  return draw("line", { x1, y1, x2, y2, stroke, ...more });
}

function picture({ series, levels = {}, xMax, log, xName = "step" }, axis, em) {
  const { left, right, top, bottom } = axis;
  const parts = [];
  const names = [];
  for (const y of round(0, axis.high, 4)) {
    parts.push(line(left, axis.y(y), right, axis.y(y), COLOURS.GRID));
    parts.push(words(left - 0.4 * em, axis.y(y) + 0.35 * em, String(y), "end", COLOURS.FAINT));
  }
  const ticks = log ? [0, 1, 10, 100, 1000, 10_000].filter((x) => x <= xMax) : round(0, xMax, 4);
  let last = -Infinity;
  for (const x of ticks) {
    if (axis.x(x) - last < 2.6 * em) continue;
    last = axis.x(x);
    parts.push(words(last, bottom + 1.1 * em, whole(x), "middle", COLOURS.FAINT));
  }
  parts.push(words((left + right) / 2, bottom + 2.2 * em, xName, "middle", COLOURS.FAINT));
  for (const [name, y] of Object.entries(levels)) {
    parts.push(line(left, axis.y(y), right, axis.y(y), COLOURS.FAINT, { "stroke-dasharray": "5 4" }));
    names.push([axis.y(y), `${name} ${two(y)}`, COLOURS.FAINT]);
  }
  Object.entries(series).forEach(([name, points], k) => {
    const [colour, dots] = LOOKS[k % LOOKS.length];
    const placed = points.filter(([, y]) => Number.isFinite(y)).map(([x, y]) => [axis.x(x), axis.y(y)]);
    if (!placed.length) return;
    const path = placed.map(([x, y]) => `${x.toFixed(1)},${y.toFixed(1)}`).join(" ");
    parts.push(draw("polyline", { points: path, fill: "none", stroke: colour, "stroke-width": 2 }));
    if (dots)
      parts.push(...placed.map(([cx, cy]) => draw("circle", { cx, cy, r: 3, fill: colour })));
    names.push([placed.at(-1)[1], `${name} ${two(points.at(-1)[1])}`, colour]);
  });
  return [...parts, ...ends(names, axis, em)];
}

/** The names at the ends, moved apart where they would lie on each other. */
function ends(names, { right, top, bottom }, em) {
  const sorted = [...names].sort((a, b) => a[0] - b[0]);
  const gap = 1.2 * em;
  let free = top;
  const places = sorted.map(([y]) => (free = Math.max(y, free) + gap) - gap);
  let limit = bottom;
  for (let k = places.length - 1; k >= 0; k--) {
    places[k] = Math.min(places[k], limit);
    limit = places[k] - gap;
  }
  return sorted.flatMap(([, name, colour], k) => {
    const y = places[k];
    return [
      line(right + 4, y, right + 0.9 * em, y, colour, { "stroke-width": 2 }),
      words(right + 1.2 * em, y + 0.35 * em, name),
    ];
  });
}

/** Round numbers from low to high, about so many. */
function round(low, high, about) {
  const rough = (high - low) / about || 1;
  const unit = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((m) => m * unit).find((s) => s >= rough);
  const count = Math.floor((high - low) / step + 1e-9);
  return Array.from({ length: count + 1 }, (_, k) => Number((low + k * step).toPrecision(6)));
}
