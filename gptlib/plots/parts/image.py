"""A drawn picture as it lies in a page: a small PNG, and HTML that follows the page's theme.

Every fresh clone is a notebook that JupyterLab does not trust: it takes <style>, <svg> and scripts
out of saved outputs, but keeps <img> with its alt. So the light and the dark picture lie in one
SVG that is shown as an image. Such an image cannot see the page, but its media query
`prefers-color-scheme` follows the `color-scheme` of the place where it is shown, which JupyterLab
sets to its theme; on a page that sets none, it follows the reader's own system.
"""

import io
from html import escape

from PIL import Image  # comes with matplotlib

from ...formats.images import as_page, data_url, wide

_SWITCH = (
    "<style>.dark { display: none } @media (prefers-color-scheme: dark) "
    "{ .dark { display: inline } .light { display: none } }</style>"
)


def small_png(png: bytes) -> bytes:
    """The same picture with 256 colours at most, in a third of the bytes."""
    file = io.BytesIO()
    Image.open(io.BytesIO(png)).convert("RGB").quantize(256).save(file, "png", compress_level=9)
    return file.getvalue()


def size_of(png: bytes) -> tuple[int, int]:
    """Width and height in pixels, which a PNG says in its header."""
    return int.from_bytes(png[16:20]), int.from_bytes(png[20:24])


def html(words: str, width: int, png: bytes, dark: bytes | None = None) -> str:
    """An HTML image that a screen reader announces as `words`.

    Args:
        width: in CSS pixels, where text has JupyterLab's usual size; it grows with the page's.
        png: the picture. dark: the one of the same size for a dark page; None: `png` for all.
    """
    source = data_url("image/png", png) if dark is None else _either(png, dark)
    style = wide(width)
    theme = "" if dark is None else as_page("gptlib-picture")
    # tests/kernels.py leaves out of nbval's comparison what follows the alt.
    image = f'<img class="gptlib-picture" alt="{escape(words)}" width="{width}" style="{style}"'
    return f'{theme}{image} src="{source}">'


def _either(light: bytes, dark: bytes) -> str:
    """An SVG that shows the one picture or the other."""
    width, height = size_of(light)
    both = "".join(
        f'<image class="{name}" width="{width}" height="{height}" '
        f'href="{data_url("image/png", png)}"/>'
        for name, png in (("light", light), ("dark", dark))
    )
    start = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}">'
    return data_url("image/svg+xml", f"{start}{_SWITCH}{both}</svg>".encode())
