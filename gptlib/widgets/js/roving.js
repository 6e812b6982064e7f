// Many buttons as one stop of the Tab key: the arrow keys go from one to the next inside.

import { set } from "./dom.js";

const STEPS = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: 1, ArrowUp: -1 };

/**
 * Let the arrow keys, Home and End move the focus among the buttons of `root`.
 *
 * across(): how many buttons a line has, for ArrowUp and ArrowDown; 1 where they are one line.
 * Returns rest(place): the button that Tab reaches.
 */
export function roving(root, { buttons, across = () => 1 }) {
  let rest = 0;
  const settle = (place) => {
    rest = Math.max(0, Math.min(place, buttons().length - 1));
    buttons().forEach((button, k) => set(button, { tabindex: k === rest ? "0" : "-1" }));
  };
  root.addEventListener("keydown", (event) => {
    const now = buttons().indexOf(event.target);
    const many = buttons().length;
    const down = event.key === "ArrowDown" || event.key === "ArrowUp";
    let next = now + (STEPS[event.key] ?? 0) * (down ? across() : 1);
    if (event.key === "Home") next = 0;
    if (event.key === "End") next = many - 1;
    if (now < 0 || next === now || next < 0 || next >= many) return;
    event.preventDefault();
    settle(next);
    buttons()[next].focus();
  });
  root.addEventListener("focusin", (event) => {
    const now = buttons().indexOf(event.target);
    if (now >= 0) settle(now);
  });
  return settle;
}
