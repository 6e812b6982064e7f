"""GPT-2's spelling of bytes: text of one visible character for each byte, as files have tokens."""


def byte_characters() -> list[str]:
    """Return GPT-2's printable character for each of the 256 bytes.

    Tokens are keys of a JSON object, and keys must be text. But a token may be half a character
    (no text at all), and a space or newline within a token could be lost or not be seen. So each
    byte is written as one visible character: itself, where Latin-1 has a visible one there, and
    else the next free one from U+0100 on. That is why GPT-2's tokens show a space as "Ġ".

    >>> [byte_characters()[byte] for byte in b"a \\n"]
    ['a', 'Ġ', 'Ċ']
    """
    visible = {*range(0x21, 0x7F), *range(0xA1, 0x100)} - {0xAD}  # 0xAD: soft hyphen
    others = iter(range(0x100, 0x200))
    return [chr(byte if byte in visible else next(others)) for byte in range(256)]


CHARACTERS = byte_characters()
_BYTES = {character: byte for byte, character in enumerate(CHARACTERS)}


def bytes_to_text(token: bytes) -> str:
    """Spell a token as tokenizer.json does.

    >>> bytes_to_text(" é".encode())
    'ĠÃ©'
    """
    return "".join(CHARACTERS[byte] for byte in token)


def text_to_bytes(text: str) -> bytes | None:
    """Undo `bytes_to_text`; None for text that spells no bytes."""
    return bytes(_BYTES[c] for c in text) if all(c in _BYTES for c in text) else None
