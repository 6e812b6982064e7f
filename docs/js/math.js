// Formulas: KaTeX, which lies beside this page, writes them where Sphinx has left their TeX.

const FOLDER = new URL("../katex/dist/", import.meta.url);

function arrives(node, attributes) {
  const loading = new Promise((done, fail) => {
    node.addEventListener("load", done);
    node.addEventListener("error", fail);
  });
  document.head.append(Object.assign(node, attributes));
  return loading;
}

const style = { rel: "stylesheet", href: new URL("katex.min.css", FOLDER).href };
const script = { src: new URL("katex.min.js", FOLDER).href };
await Promise.all([
  arrives(document.createElement("link"), style), arrives(document.createElement("script"), script),
]);
for (const node of document.querySelectorAll(".math")) {
  const display = node.localName === "div";
  const tex = node.textContent.trim().replace(/^\\[([]|\\[)\]]$/g, "");
  globalThis.katex.render(tex, node, { displayMode: display, throwOnError: false });
}
