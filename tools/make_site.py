"""Build the course's site: plain files, for any web server and under any path.

    python tools/make_site.py build/site

What is made on the way lies beside it (build/site-sources), so that the next time only what has
changed is read again. The one setting is the repository's address, for links out of the site:
GPTLIB_REPOSITORY=https://github.com/OWNER/NAME. Without it those links are left out.
"""

import argparse
import os
import shutil
import sys
import warnings
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
KATEX = ROOT / "tools" / "reveal" / "vendor" / "katex"  # which the slides have too


def write_static(static: Path) -> None:
    """What is only copied."""
    from website import scripts

    shutil.rmtree(static, ignore_errors=True)
    shutil.copytree(DOCS / "_static", static)
    shutil.copytree(KATEX, static / "katex")
    scripts.write(static)


def build(out: Path, repository: str = "") -> int:
    """Build the site, and only if nothing is wrong with it put it in the folder's place; then 0.

    Raises:
        ValueError: a notebook shows something else than its cells make, or a link leads nowhere.
    """
    os.environ["GPTLIB_ANSWERS"] = "off"  # before gptlib is imported: these are nobody's answers
    from sphinx.application import Sphinx
    from website import scripts, sources

    work = out.parent / f"{out.name}-sources"
    pages, static, extra = (work / name for name in ("pages", "static", "extra"))
    write_static(static)
    pages.mkdir(parents=True, exist_ok=True)
    sources.Site(pages, static, repository).write()
    shutil.rmtree(extra, ignore_errors=True)
    sources.take_away(extra)
    made = work / "html"
    shutil.rmtree(made, ignore_errors=True)
    settings = {
        "html_static_path": [str(static)],
        "html_extra_path": [str(extra)],
        "html_js_files": [(f"{scripts.folder()}/course.js", {"type": "module"})],
        "mathjax_path": f"{scripts.folder()}/math.js",
        "mathjax_options": {"type": "module"},
    }
    app = Sphinx(
        pages, DOCS, made, work / "doctrees", "html", settings,
        status=None, warningiserror=True, parallel=os.cpu_count() or 1,
    )  # fmt: skip
    app.build()
    if not app.statuscode:
        shutil.rmtree(out, ignore_errors=True)
        shutil.move(made, out)
    return app.statuscode


def main() -> None:
    parser = argparse.ArgumentParser(prog="python tools/make_site.py", description=__doc__)
    parser.add_argument("folder", type=Path, help="for the site; what it holds is replaced")
    folder = parser.parse_args().folder.resolve()
    if folder.exists() and any(folder.iterdir()) and not (folder / "searchindex.js").is_file():
        sys.exit(f"{folder} was not made by this command: give an empty folder")
    warnings.filterwarnings("ignore", module="sphinx|myst_nb|docutils")
    try:
        code = build(folder, os.environ.get("GPTLIB_REPOSITORY", ""))
    except ValueError as error:
        sys.exit(f"No site was built: {error}")
    if not code:
        print(f"The site is in {folder}. To look: python -m http.server -d {folder}")
    sys.exit(code)


if __name__ == "__main__":
    main()
