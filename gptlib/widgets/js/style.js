// How every explorer looks: JupyterLab's theme, its font size, and room for a phone or a projector.

const INK = "var(--jp-content-font-color1, #1f1f1f)";
const FAINT = "var(--jp-content-font-color2, #666666)";
const PAPER = "var(--jp-layout-color0, #ffffff)";
const GRID = "var(--jp-border-color2, #d0d0d0)";
const BLUE = "var(--jp-brand-color1, #1976d2)";
const ORANGE = "var(--jp-warn-color0, #e65100)";
const ALARM = "var(--jp-error-color1, #d32f2f)";
export const COLOURS = { INK, FAINT, PAPER, GRID, BLUE, ORANGE, ALARM };
// The background of what the mask hides: grey, and strokes, as figures have it.
export const CROSSED = `color-mix(in srgb, ${GRID} 45%, ${PAPER})
  repeating-linear-gradient(135deg, transparent 0 5px, ${GRID} 5px 6px)`;

// 16 px where JupyterLab writes in 14: 24 px on a projector of 1080 lines at 150 %. Nothing in an
// explorer is smaller than 1em of this.
const CSS = `
.gptlib-live { container-type: inline-size; color: ${INK}; background: ${PAPER};
  font-family: var(--jp-ui-font-family, sans-serif); line-height: 1.35; padding: 2px 4px;
  font-size: max(16px, calc(var(--jp-content-font-size1, 14px) * 8 / 7)); text-align: left; }
.gptlib-live.gptlib-explorer { max-width: 72em; }
.gptlib-live *, .gptlib-live *::before, .gptlib-live *::after { box-sizing: border-box; }
.gptlib-live :focus-visible { outline: 2px solid var(--jp-focus-outline-color, #1976d2) !important;
  outline-offset: 2px; }
.gptlib-unseen { position: absolute; width: 1px; height: 1px; overflow: hidden;
  clip-path: inset(50%); white-space: nowrap; }
.gptlib-row { display: flex; flex-flow: row wrap; align-items: center; gap: .3em 1.1em;
  margin-bottom: .3em; }
.gptlib-live label { display: flex; align-items: center; gap: .5em; margin: 0; font-size: 1em; }
.gptlib-number { display: flex; align-items: center; gap: .4em; max-width: 100%;
  white-space: nowrap; }
.gptlib-live input, .gptlib-live select, .gptlib-live button { font: inherit; color: ${INK};
  background: var(--jp-input-background, transparent); border: 1px solid ${FAINT};
  border-radius: 3px; padding: .1em .4em; margin: 0; max-width: 100%; min-height: 1.75em; }
.gptlib-live select option { background: ${PAPER}; color: ${INK}; }
.gptlib-live input[type=range] { flex: 0 1 8.5em; width: 8.5em; min-width: 3em; padding: 0; border: none; accent-color: ${BLUE};
  background: none; }
.gptlib-live input[type=number] { width: 4.9em; flex: none; padding-right: 0; }
.gptlib-live select { flex: 0 1 auto; min-width: 3em; }
.gptlib-live input[type=checkbox] { width: 1.1em; height: 1.1em; min-height: 0;
  accent-color: ${BLUE}; }
.gptlib-line { flex: 1 1 14em; }
.gptlib-line input { flex: 1; width: 100%; font-family: var(--jp-code-font-family, monospace); }
.gptlib-live button { cursor: pointer; padding: .1em .7em; white-space: nowrap;
  background: var(--jp-layout-color2, #eeeeee); }
.gptlib-live button:hover:not(:disabled) { border-color: ${BLUE}; }
.gptlib-live button[aria-pressed=true], .gptlib-live button[aria-current=true] {
  box-shadow: inset 0 0 0 2px ${BLUE}; font-weight: 600; }
.gptlib-live button:disabled, .gptlib-live input:disabled, .gptlib-live select:disabled {
  opacity: .5; cursor: default; }
.gptlib-message { min-height: 1.5em; }
.gptlib-message > :not(:empty) { border-left: 4px solid ${ALARM}; padding: 0 .5em; }
.gptlib-message > .gptlib-quiet:not(:empty) { border-left-color: ${GRID}; }
.gptlib-stale { opacity: .35; filter: grayscale(1); }
.gptlib-code { font-family: var(--jp-code-font-family, monospace); white-space: pre; }
.gptlib-faint { color: ${FAINT}; }

.gptlib-tokens { display: flex; flex-flow: row wrap; gap: .2em; align-items: flex-start; }
.gptlib-token { display: flex; flex-direction: column; align-items: center; min-width: 2em;
  max-width: 16em; }
.gptlib-token > .gptlib-box { border: 1px solid ${GRID}; border-radius: 4px; padding: 0 .35em;
  min-width: 2em; text-align: center; max-width: 100%; overflow: hidden; text-overflow: ellipsis;
  background: color-mix(in srgb, #7a7a7a 14%, transparent); }
.gptlib-token.gptlib-made > .gptlib-box { border-color: ${BLUE};
  background: color-mix(in srgb, ${BLUE} 16%, transparent); }
.gptlib-token.gptlib-stop > .gptlib-box { border: 2px solid ${ORANGE}; }
.gptlib-token button.gptlib-box { min-height: 0; font-family: var(--jp-code-font-family, monospace);
  white-space: pre; }

.gptlib-bars { display: grid; column-gap: .8em; align-items: center; align-content: start;
  grid-template-columns: 8.5em minmax(4em, 1fr) repeat(var(--columns), minmax(3.6em, max-content)); }
.gptlib-bars .gptlib-right { text-align: right; white-space: nowrap; }
.gptlib-bars .gptlib-head { align-self: end; }
.gptlib-bars .gptlib-name { text-align: right; overflow: hidden; text-overflow: ellipsis; }
.gptlib-bars .gptlib-now { font-weight: 600; }
.gptlib-track { position: relative; height: 1.5em; border-left: 1px solid ${FAINT};
  background: linear-gradient(to right, ${GRID} 1px, transparent 1px) 0 0 / 25% 100%;
  border-right: 1px solid ${GRID}; }
.gptlib-track > * { position: absolute; left: 0; }
.gptlib-fill { top: .2em; height: 1em; background: ${BLUE}; forced-color-adjust: none; }
.gptlib-beside { top: .2em; height: 1em; border: 1.5px dashed ${INK}; }
.gptlib-many { top: 1.22em; height: .25em; background: #7a7a7a; forced-color-adjust: none; }
.gptlib-true { top: .35em; width: .7em; height: .7em; margin-left: -.35em; background: ${ORANGE};
  outline: 1px solid ${PAPER}; transform: rotate(45deg); forced-color-adjust: none; }
.gptlib-picked { outline: 2px solid ${ORANGE}; outline-offset: 1px; border-radius: 3px; }
.gptlib-key { display: inline-block; position: relative; width: 1em; height: .8em;
  margin-right: .35em; vertical-align: -.05em; top: 0; }
.gptlib-key.gptlib-many { height: .3em; vertical-align: .15em; }
.gptlib-key.gptlib-true { width: .65em; height: .65em; margin-left: .1em; }

.gptlib-strip { position: relative; padding-top: 1.5em; }
.gptlib-strip-row { display: flex; height: 1.6em; border: 1px solid ${FAINT}; overflow: hidden; }
.gptlib-strip-row > * { overflow: hidden; white-space: pre; text-align: center; flex: 0 0 auto;
  line-height: 1.5em; min-width: 0;
  background: color-mix(in srgb, ${BLUE} 10%, transparent);
  box-shadow: inset -1px 0 ${FAINT}; }
.gptlib-strip-row > .gptlib-other { background: color-mix(in srgb, ${BLUE} 26%, transparent); }
.gptlib-strip-row > .gptlib-hit { outline: 3px solid ${ORANGE}; outline-offset: -3px; }
.gptlib-marker { position: absolute; top: 0; height: 3.1em; width: 0; pointer-events: none;
  border-left: 2px solid ${ORANGE}; }
.gptlib-marker > span { position: absolute; bottom: 100%; transform: translate(-50%, 1.45em);
  background: ${PAPER}; padding: 0 .3em; border-radius: 3px; border: 1px solid ${ORANGE}; }
.gptlib-chart { display: block; width: 100%; font-size: 1em; }
.gptlib-heat { display: grid; gap: 1px; align-content: start; }
.gptlib-heat > .gptlib-cell { min-height: 1.1em; text-align: center; line-height: 1.5em;
  forced-color-adjust: none; color: ${INK}; }
.gptlib-heat > .gptlib-future { background: ${CROSSED}; }
.gptlib-heat > .gptlib-name { text-align: right; padding-right: .3em; overflow: hidden;
  text-overflow: ellipsis; }
.gptlib-ticks { position: relative; height: 1.3em; }
.gptlib-ticks > * { position: absolute; transform: translateX(-50%); }
@container (max-width: 36em) {
  .gptlib-row { gap: .3em .6em; }
  .gptlib-bars .gptlib-head { white-space: normal; line-height: 1.1; }
  .gptlib-bars { column-gap: .4em;
    grid-template-columns: 6.2em minmax(3em, 1fr) repeat(var(--few), minmax(2.6em, max-content)); }
  .gptlib-bars .gptlib-optional { display: none; }
}
@container (max-width: 20em) {
  .gptlib-bars {
    grid-template-columns: 6.2em minmax(3em, 1fr) repeat(var(--fewest), minmax(2.6em, max-content)); }
  .gptlib-bars .gptlib-rare { display: none; }
}
@media (prefers-reduced-motion: no-preference) {
  .gptlib-moves { transition: all .25s ease-out; }
  .gptlib-racing .gptlib-fill, .gptlib-racing .gptlib-beside { transition: width .3s ease-out; }
  .gptlib-appears { animation: gptlib-appear .3s ease-out; }
  @keyframes gptlib-appear { from { opacity: 0; transform: translateY(.6em); } }
}
@media (forced-colors: active) {
  .gptlib-fill { background: Highlight; } .gptlib-true { background: CanvasText; }
  .gptlib-many { background: GrayText; }
}
`;

const SHEETS = Symbol.for("gptlib.sheets");

/** Give the page a style once, however many explorers it holds. */
export function adopt(css = CSS) {
  const sheets = (document[SHEETS] ??= new Set());
  if (sheets.has(css)) return;
  sheets.add(css);
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(css);
  document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
}
