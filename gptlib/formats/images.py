"""Images inside an HTML page: the data as an address, and the style by which they follow the page.

A notebook that JupyterLab does not trust keeps <img> with its alt, and <style>, and no <svg>: so
figures and the pictures of explorers are both shown as such an image.
"""

import base64


def data_url(kind: str, data: bytes) -> str:
    """An address that holds the data itself; kind: "image/png" or another.

    >>> data_url("image/png", b"abc")
    'data:image/png;base64,YWJj'
    """
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


def as_page(look: str) -> str:
    """A <style> by which images of a class are as light as the page says that it is.

    For pages that name JupyterLab's theme and set no color-scheme, as those of nbconvert.
    """
    rules = (
        f'[data-jp-theme-light="{light}"] .{look} {{ color-scheme: {scheme} }}'
        for light, scheme in (("true", "light"), ("false", "dark"))
    )
    return f"<style>{' '.join(rules)}</style>"
