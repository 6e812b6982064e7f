"""A token's bytes as text in which all of it can be seen: for pictures, not for decoding."""

import re

# Characters that print as nothing, as a space, or as an empty box, or that move what is printed
# after them. A fixed list, and not a Unicode category, so that a token looks the same under every
# version of Unicode.
UNSEEN = (
    (0x0000, 0x001F, "control characters"),
    (0x007F, 0x00A0, "delete, control characters, no-break space"),
    (0x00AD, 0x00AD, "soft hyphen"),
    (0x034F, 0x034F, "combining grapheme joiner"),
    (0x0600, 0x0605, "Arabic signs that reach under the digits after them"),
    (0x061C, 0x061C, "Arabic letter mark"),
    (0x06DD, 0x06DD, "Arabic end of ayah"),
    (0x070F, 0x070F, "Syriac abbreviation mark"),
    (0x0890, 0x0891, "Arabic pound and piastre marks above"),
    (0x08E2, 0x08E2, "Arabic disputed end of ayah"),
    (0x115F, 0x1160, "Hangul fillers"),
    (0x1680, 0x1680, "Ogham space mark"),
    (0x17B4, 0x17B5, "Khmer inherent vowels"),
    (0x180B, 0x180F, "Mongolian variation selectors and vowel separator"),
    (0x2000, 0x200F, "spaces of various widths, joiners, direction marks"),
    (0x2028, 0x202F, "line and paragraph separators, direction overrides, narrow space"),
    (0x205F, 0x206F, "mathematical space, invisible operators, direction isolates"),
    (0x2800, 0x2800, "Braille pattern blank"),
    (0x3000, 0x3000, "ideographic space"),
    (0x3164, 0x3164, "Hangul filler"),
    (0xD800, 0xDFFF, "surrogates"),
    (0xE000, 0xF8FF, "private use"),
    (0xFDD0, 0xFDEF, "noncharacters"),
    (0xFE00, 0xFE0F, "variation selectors"),
    (0xFEFF, 0xFEFF, "byte order mark"),
    (0xFFA0, 0xFFA0, "halfwidth Hangul filler"),
    (0xFFF0, 0xFFFB, "interlinear annotations, and ignorable code points before them"),
    (0xFFFE, 0xFFFF, "noncharacters"),
    (0x110BD, 0x110BD, "Kaithi number sign"),
    (0x110CD, 0x110CD, "Kaithi number sign above"),
    (0x13430, 0x13442, "Egyptian hieroglyph format controls and blanks"),
    (0x16FE4, 0x16FE4, "Khitan small script filler"),
    (0x1BCA0, 0x1BCA3, "shorthand format controls"),
    (0x1D159, 0x1D159, "musical symbol null notehead"),
    (0x1D173, 0x1D17A, "musical symbol format controls"),
    (0xE0000, 0xE0FFF, "tags, variation selectors"),
    (0xF0000, 0x10FFFF, "private use, noncharacters"),
    *(((n << 16) + 0xFFFE, (n << 16) + 0xFFFF, "noncharacters") for n in range(1, 15)),
)
_unseen = re.compile("[" + "".join(f"{chr(first)}-{chr(last)}" for first, last, _ in UNSEEN) + "]")


def visible(token: bytes) -> str:
    """The token as text: a space is ␣, a newline ⏎, a tab ⇥, and what cannot be seen <hexadecimal>.

    >>> visible(b" caf\xc3"), visible("\u200b".encode())
    ('␣caf<C3>', '<E2><80><8B>')
    """
    text = token.decode("utf-8", "surrogateescape")  # a byte that is no UTF-8 becomes a surrogate
    text = text.replace(" ", "␣").replace("\n", "⏎").replace("\t", "⇥")
    return _unseen.sub(_hexadecimal, text)


def _hexadecimal(found: re.Match) -> str:
    return "".join(f"<{byte:02X}>" for byte in found[0].encode("utf-8", "surrogateescape"))
