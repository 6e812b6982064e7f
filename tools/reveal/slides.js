// Formulas, then slides that fit: what is too high for its slide is made smaller, never cut off.

const HERE = document.currentScript.src;
const WIDTH = 1280;
const HEIGHT = 720;
const SETTLING = [0, 300, 1000]; // milliseconds: an explorer finds its layout in steps
const SMALLEST = 0.5; // of the usual size of type

renderMathInElement(document.querySelector(".slides"), {
  delimiters: [
    { left: "$$", right: "$$", display: true },
    { left: "$", right: "$", display: false },
  ],
  throwOnError: false,
});

/** Does all of a slide show, no line of code cut off either? */
function fits(slide) {
  const lines = [...slide.querySelectorAll("pre")];
  return (
    slide.scrollHeight <= HEIGHT &&
    slide.scrollWidth <= WIDTH &&
    lines.every((pre) => pre.scrollWidth <= pre.clientWidth)
  );
}

/** Make the type of a slide smaller until it fits, in steps of a twentieth. */
function fit(slide) {
  for (let size = 1; size >= SMALLEST; size -= 0.05) {
    slide.style.fontSize = `${size}em`;
    if (fits(slide)) return;
  }
}

/** All slides at their real size: reveal.js hides those that are far away. */
function fitAll() {
  const slides = document.querySelectorAll(".slides > section > section");
  document.body.classList.add("measuring");
  slides.forEach(fit);
  document.body.classList.remove("measuring");
}

/** Explorers come alive where this page comes from a server; in a file they stay pictures. */
function openExplorers() {
  if (!location.protocol.startsWith("http")) return;
  for (const place of document.querySelectorAll("[data-explorer]")) {
    place.addEventListener("keydown", (event) => event.stopPropagation()); // not to the next slide
    const later = () => SETTLING.forEach((wait) => setTimeout(() => enlarge(place), wait));
    new MutationObserver(later).observe(place, { childList: true });
  }
  import(new URL("../js/course.js", HERE));
}

/** As large as its slide has room for; what is still too high can be scrolled. */
function enlarge(place) {
  const live = place.querySelector(".gptlib-explorer");
  if (!live) return;
  place.classList.add("alive");
  for (let zoom = 1.7; zoom >= 0.7; zoom -= 0.1) {
    live.style.zoom = zoom;
    if (place.scrollHeight <= place.clientHeight) return;
  }
}

const pictures = [...document.images].map((image) => image.decode().catch(() => null));

Promise.all([document.fonts.ready, ...pictures]).then(async () => {
  fitAll();
  await Reveal.initialize({
    width: WIDTH,
    height: HEIGHT,
    margin: 0.02,
    center: false,
    hash: true,
    slideNumber: "c/t",
    transition: "none",
    pdfMaxPagesPerSlide: 1,
    pdfSeparateFragments: false,
    plugins: [RevealNotes],
  });
  document.body.dataset.ready = "yes";
  openExplorers();
});
