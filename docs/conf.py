"""How Sphinx builds the course's site, from what tools/make_site.py has gathered for it."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tools")]

project = "gptlib"
author = "The gptlib authors"
copyright = "the gptlib authors, MIT licence"
language = "en"
html_title = "gptlib: a GPT you can take apart"

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.githubpages",  # else GitHub leaves out what begins with "_"
    "sphinx.ext.napoleon",
    "sphinx.ext.mathjax",
    "website.docstrings",
    "website.terms",
    "website.theme",
]

# Notebooks are committed as they were executed; nothing is run here.
nb_execution_mode = "off"
nb_merge_streams = True
myst_enable_extensions = ["dollarmath", "deflist", "attrs_inline"]
myst_heading_anchors = 3
myst_update_mathjax = False
# Lessons begin sections where a class does, whatever the level; a language of a fence is a wish.
suppress_warnings = ["myst.header", "misc.highlighting_failure"]

default_role = "code"  # `x` in a docstring is code
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
python_use_unqualified_type_names = True
napoleon_numpy_docstring = False
add_module_names = False

smartquotes_action = "qD"  # but (..., V) keeps its three dots

html_theme = "furo"
html_favicon = "_static/favicon.svg"
html_css_files = ["course.css"]
html_copy_source = False
html_show_sphinx = False
pygments_style = "a11y-high-contrast-light"
pygments_dark_style = "a11y-high-contrast-dark"
