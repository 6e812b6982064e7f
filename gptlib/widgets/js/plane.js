// Vectors of two numbers as arrows in the plane, whose tips can be dragged.

import { draw, put, say, set } from "./dom.js";
import { STRONG } from "./heat.js";
import { COLOURS } from "./style.js";

const LETTER = 0.61; // of an em: the width of a letter of code
const LINE = 1.3; // em, of a name
const LARGEST = 18.75; // em
const EDGE = 10;

/**
 * A plane from −reach to reach; a tip that is dragged goes in steps of `step`.
 *
 * onDrag(k, [x, y]): arrow k is drawn to another place. onDrop(k): it is let go. fit(width): it
 * has so many pixels.
 * update(arrows, label): arrows: [{to: [x, y], name, thick, ink, dashed}, ...], the last on top.
 */
export function plane({ reach, step, onDrag, onDrop }) {
  let em = 0; // pixels: the size of the explorer's letters
  let side = 0;
  let scale = 1;
  const at = ([x, y]) => [EDGE + (x + reach) * scale, EDGE + (reach - y) * scale];
  const group = () => draw("g", {});
  const [grid, shafts, names, handles] = [group(), group(), group(), group()];
  const root = draw("svg", {
    class: "gptlib-plane", role: "img",
  }, grid, shafts, names, handles);
  let held = null;

  const where = (event) => {
    const box = root.getBoundingClientRect();
    const snap = (value) => {
      const near = Math.round(value / step) * step;
      return Math.max(-reach, Math.min(reach, near)) + 0;
    };
    return [
      snap((event.clientX - box.left - EDGE) / scale - reach),
      snap(reach - (event.clientY - box.top - EDGE) / scale),
    ];
  };
  handles.addEventListener("pointerdown", (event) => {
    held = [...handles.children].indexOf(event.target);
    event.target.setPointerCapture(event.pointerId);
    event.preventDefault();
  });
  handles.addEventListener("pointermove", (event) => {
    if (held !== null) onDrag(held, where(event));
  });
  for (const end of ["pointerup", "pointercancel"])
    handles.addEventListener(end, () => {
      if (held !== null) onDrop(held);
      held = null;
    });

  const fit = (width) => {
    em = parseFloat(getComputedStyle(root).fontSize) || 16; // 16 while it is in no page
    side = Math.floor(Math.min(LARGEST * em, width));
    scale = (side - 2 * EDGE) / (2 * reach);
    set(root, { width: side, height: side });
    paintGrid(grid, reach, at);
  };
  fit(Infinity);

  return {
    root, fit,
    update(arrows, label) {
      set(root, { "aria-label": label });
      keep(shafts, arrows.length, () => draw("path", { "stroke-linejoin": "miter" }));
      keep(handles, arrows.length, () => draw("circle", { r: 13, class: "gptlib-tip" }));
      arrows.forEach(({ to, thick, ink, dashed }, k) => {
        const [x, y] = at(to);
        set(handles.children[k], { cx: x.toFixed(1), cy: y.toFixed(1) });
        set(shafts.children[k], {
          d: arrow(at([0, 0]), [x, y], thick), stroke: ink, fill: ink, "stroke-width": thick,
          "stroke-dasharray": dashed ? "5 4" : null,
        });
      });
      paintNames(names, arrows.filter(({ name }) => name), at, side, em);
    },
  };
}

function keep(group, count, make) {
  while (group.children.length > count) group.lastChild.remove();
  while (group.children.length < count) group.append(make());
}

function paintGrid(group, reach, at) {
  const lines = [];
  for (let k = -reach; k <= reach; k++) {
    const ink = k ? COLOURS.GRID : COLOURS.FAINT;
    const [[x], [, y]] = [at([k, 0]), at([0, k])];
    const [[left, top], [right, bottom]] = [at([-reach, reach]), at([reach, -reach])];
    lines.push(draw("line", { x1: x, y1: top, x2: x, y2: bottom, stroke: ink }));
    lines.push(draw("line", { x1: left, y1: y, x2: right, y2: y, stroke: ink }));
  }
  put(group, ...lines);
}

/** A shaft and a head; the zero vector is a dot. */
function arrow([x0, y0], [x, y], thick) {
  const long = Math.hypot(x - x0, y - y0);
  if (long < 1) return `M${x0 - 3} ${y0}a3 3 0 1 0 6 0a3 3 0 1 0 -6 0z`;
  const [a, b] = [(x - x0) / long, (y - y0) / long];
  const size = 5 + 2 * thick;
  const [bx, by] = [x - size * a, y - size * b];
  const side = 0.42 * size;
  const corner = (sign) => `L${(bx - sign * b * side).toFixed(1)} ${(by + sign * a * side).toFixed(1)}`;
  return `M${x0} ${y0}L${bx.toFixed(1)} ${by.toFixed(1)}${corner(1)}L${x.toFixed(1)} ${y.toFixed(1)}` +
    `${corner(-1)}L${bx.toFixed(1)} ${by.toFixed(1)}`;
}

/** The names beyond the tips, moved apart where they would lie on each other. */
function paintNames(group, arrows, at, side, em) {
  const high = LINE * em;
  keep(group, arrows.length, () =>
    draw("g", {}, draw("rect", { fill: COLOURS.PAPER, "fill-opacity": "0.85", rx: 3 }),
      draw("text", { class: "gptlib-code", fill: STRONG })));
  const boxes = arrows.map(({ to, name }, k) => {
    const [x, y] = at(to);
    const wide = (LETTER * [...name].length + 0.5) * em;
    const upright = Math.abs(to[1]) > Math.abs(to[0]);
    const left = upright ? x - wide / 2 : to[0] < 0 ? x - 10 - wide : x + 10;
    const top = upright ? (to[1] > 0 ? y - high - 6 : y + 6) : y - high / 2;
    return { k, name, wide, left: Math.max(0, Math.min(side - wide, left)), top };
  });
  boxes.sort((a, b) => a.top - b.top);
  let above = -high;
  boxes.forEach(({ k, name, wide, left, top }, place) => {
    above = Math.max(above + high, Math.min(side - high * (boxes.length - place), top));
    const [paper, text] = group.children[k].children;
    set(paper, {
      x: left.toFixed(1), y: above.toFixed(1), width: wide.toFixed(1), height: high.toFixed(1),
    });
    set(text, { x: (left + em / 4).toFixed(1), y: (above + 0.75 * high).toFixed(1) });
    say(text, name);
  });
}

export const PLANE_CSS = `
.gptlib-plane { display: block; flex: none; max-width: none; overflow: visible; font-size: 1em;
  forced-color-adjust: none; background: ${COLOURS.PAPER}; }
.gptlib-tip { fill: transparent; cursor: grab; touch-action: none; }
.gptlib-tip:hover { fill: color-mix(in srgb, ${COLOURS.ORANGE} 25%, transparent); }
`;
