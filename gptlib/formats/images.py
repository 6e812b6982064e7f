"""Images inside an HTML page: the data as an address, and the style by which they follow the page.

A notebook that JupyterLab does not trust keeps <img> with its alt, and <style>, and no <svg>: so
figures and the pictures of explorers are both shown as such an image.
"""

import base64

FONT = 14  # CSS pixels of JupyterLab's text, which pictures grow with
LETTERS = 16  # CSS pixels of the smallest letters there: 24 on a projector at 150 %
LEAST = 10  # and on a phone: where they would have to be smaller, one scrolls
# Text as large as that, and larger where the page's is.
AS_EXPLORERS = f"font-size: {LETTERS / FONT:.3f}em"


def data_url(kind: str, data: bytes) -> str:
    """An address that holds the data itself; kind: "image/png" or another.

    >>> data_url("image/png", b"abc")
    'data:image/png;base64,YWJj'
    """
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


def wide(width: float) -> str:
    """A style: so many CSS pixels where text has the size FONT, fewer where there is less room.

    On a phone a picture stays so large that it can be read, and its place scrolls.

    >>> wide(700)
    'width: 50.00em; max-width: 100%; min-width: 31.25em; height: auto'
    """
    letters = width / FONT
    least = letters * LEAST / LETTERS
    return f"width: {letters:.2f}em; max-width: 100%; min-width: {least:.2f}em; height: auto"


def as_page(look: str) -> str:
    """A <style> by which images of a class are as light as the page says that it is.

    For pages that name JupyterLab's theme and set no color-scheme, as those of nbconvert.
    """
    rules = (
        f'[data-jp-theme-light="{light}"] .{look} {{ color-scheme: {scheme} }}'
        for light, scheme in (("true", "light"), ("false", "dark"))
    )
    return f"<style>{' '.join(rules)}</style>"
