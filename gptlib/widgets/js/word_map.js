// Words as points on a map: each can be pressed, and slides to where it is at another step.

import { onWidth } from "./base.js";
import { draw, make, put, set, style } from "./dom.js";
import { adopt, COLOURS } from "./style.js";

const { BLUE, FAINT, GRID, INK, ORANGE, PAPER } = COLOURS;
const EDGE = 26; // pixels around the points
const SIZE = 16; // of a letter, about: names are placed by it

const CSS = `
.gptlib-word-map { position: relative; overflow: hidden; border: 1px solid ${GRID};
  height: min(22.5em, 90cqw); }
.gptlib-word-map > svg { position: absolute; inset: 0; width: 100%; height: 100%;
  pointer-events: none; z-index: 1; }
.gptlib-live .gptlib-spot { position: absolute; left: -.75em; top: -.75em; width: 1.5em;
  height: 1.5em; min-height: 0; padding: 0; border: none; background: none; border-radius: 50%; }
.gptlib-spot::before { content: ""; position: absolute; left: 50%; top: 50%; width: .35em;
  height: .35em; transform: translate(-50%, -50%); border-radius: 50%; background: ${BLUE};
  forced-color-adjust: none; }
.gptlib-spot.gptlib-close::before { width: .65em; height: .65em; }
.gptlib-live .gptlib-spot[aria-pressed=true] { box-shadow: none; z-index: 2; }
.gptlib-spot[aria-pressed=true]::before { width: .8em; height: .8em; background: ${PAPER};
  border: 3px solid ${ORANGE}; }
.gptlib-spot > span { position: absolute; white-space: pre; line-height: 1.1; top: 50%; left: 50%;
  font-family: var(--jp-code-font-family, monospace); pointer-events: none; color: ${INK};
  text-shadow: 0 0 3px ${PAPER}, 0 0 3px ${PAPER}; }
.gptlib-spot.gptlib-close > span { font-weight: 600; }
.gptlib-spot > span:empty { display: none; }
`;

/** Places for a name by a point, [dx, dy] of its left top corner: right, left, above, below. */
const beside = (width, height) => [
  [9, -height / 2], [-9 - width, -height / 2], [-width / 2, -height - 7], [-width / 2, 8],
];

/** Where names fit: Map(key -> [dx, dy]); the first come first, and none covers another one. */
export function placeNames(spots, { width, height, size = SIZE }) {
  const taken = [];
  const found = new Map();
  for (const { key, name, x, y, important } of spots) {
    const [long, high] = [0.62 * size * Array.from(name).length, 1.1 * size];
    for (const [dx, dy] of beside(long, high)) {
      const box = [x + dx - 1, y + dy, x + dx + long + 1, y + dy + high];
      if (box[0] < 0 || box[1] < 0 || box[2] > width || box[3] > height) continue;
      const meets = (a) => a[0] < box[2] && box[0] < a[2] && a[1] < box[3] && box[1] < a[3];
      if (taken.some(meets)) continue;
      const point = (other) =>
        other.key !== key &&
        other.x > box[0] && other.x < box[2] && other.y > box[1] && other.y < box[3];
      if (!important && spots.some(point)) continue;
      taken.push(box);
      found.set(key, [dx, dy]);
      break;
    }
  }
  return found;
}

/**
 * A map of words. onPick(key): one was pressed. update({box, spots, trail, arrows, label}) shows
 * the whole of box [left, bottom, right, top]; spots are {key, name, at: [x, y], chosen, near, important}, those whose
 * names matter first; trail [[x, y], ...] is where the chosen one came from; arrows [[from, to]].
 */
export function wordMap({ onPick }) {
  adopt(CSS);
  const lines = draw("svg", { "aria-hidden": "true" });
  const root = make("div", { class: "gptlib-word-map", role: "group" }, lines);
  const buttons = new Map();
  let order = []; // keys, for the arrow keys
  let shown = null;
  let width = 0;

  const button = (key, name) => {
    const made = make(
      "button",
      {
        type: "button", class: "gptlib-spot gptlib-moves", "aria-label": name, title: name,
        on: { click: () => onPick(key), keydown: (event) => go(event, key) },
      },
      make("span", { "aria-hidden": "true" }),
    );
    buttons.set(key, made);
    root.append(made);
    return made;
  };
  const go = (event, key) => {
    const by = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (!by) return;
    event.preventDefault();
    const to = order[(order.indexOf(key) + by + order.length) % order.length];
    reachable(to);
    buttons.get(to).focus();
  };
  /** One of them is reached by Tab, the others from there. */
  const reachable = (key) =>
    buttons.forEach((node, k) => set(node, { tabindex: k === key ? 0 : -1 }));

  const paint = () => {
    if (!shown || !width) return;
    const { box: [left, bottom, right, top], spots, trail, arrows } = shown;
    const height = root.clientHeight;
    const size = parseFloat(getComputedStyle(root).fontSize);
    const scale = Math.min(
      (width - 2 * EDGE) / Math.max(right - left, 1e-9),
      (height - 2 * EDGE) / Math.max(top - bottom, 1e-9),
    );
    const place = ([x, y]) => [
      width / 2 + (x - (left + right) / 2) * scale, height / 2 - (y - (bottom + top) / 2) * scale,
    ];
    const placed = spots.map((spot) => {
      const [x, y] = place(spot.at);
      return { ...spot, x, y };
    });
    const names = placeNames(placed, { width, height, size });
    const keys = new Set(spots.map(({ key }) => key));
    for (const [key, node] of buttons)
      if (!keys.has(key)) {
        node.remove();
        buttons.delete(key);
      }
    for (const { key, name, x, y, chosen, near } of placed) {
      const node = buttons.get(key) ?? button(key, name);
      style(node, { transform: `translate(${x.toFixed(1)}px, ${y.toFixed(1)}px)` });
      set(node, { "aria-pressed": String(Boolean(chosen)) });
      node.classList.toggle("gptlib-close", Boolean(near || chosen));
      const at = names.get(key);
      node.firstChild.textContent = at ? name : "";
      if (at) style(node.firstChild, { transform: `translate(${at[0]}px, ${at[1]}px)` });
    }
    order = [...spots].sort((a, b) => a.key - b.key).map(({ key }) => key);
    const focused = order.find((key) => buttons.get(key) === document.activeElement);
    reachable(focused ?? spots.find(({ chosen }) => chosen)?.key ?? order[0]);
    const path = trail.map((at) => place(at).map((v) => v.toFixed(1)).join(",")).join(" ");
    put(
      lines,
      draw("polyline", { points: path, fill: "none", stroke: ORANGE, "stroke-width": 1.5 }),
      ...trail.slice(0, -1).map((at) => {
        const [cx, cy] = place(at);
        return draw("circle", { cx, cy, r: 2, fill: ORANGE });
      }),
      ...arrows.flatMap(([from, to]) => arrow(place(from), place(to))),
    );
    set(root, { "aria-label": shown.label });
  };

  onWidth(root, (now) => {
    width = now;
    paint();
  });
  return {
    root,
    update(next) {
      shown = next;
      paint();
    },
  };
}

/** A shaft and a head, from point to point in pixels. */
function arrow([x0, y0], [x, y]) {
  const length = Math.hypot(x - x0, y - y0);
  if (length < 3) return [draw("circle", { cx: x, cy: y, r: 5, fill: "none", stroke: FAINT })];
  const [u, v] = [(x - x0) / length, (y - y0) / length];
  const head = Math.min(11, length);
  const corner = (side) => [x - head * u - side * v * 5, y - head * v + side * u * 5];
  const points = [[x, y], corner(1), corner(-1)].map((p) => p.map((n) => n.toFixed(1)).join(","));
  return [
    draw("line", {
      x1: x0, y1: y0, x2: x - head * u, y2: y - head * v, stroke: INK, "stroke-width": 2,
    }),
    draw("polygon", { points: points.join(" "), fill: INK }),
  ];
}
