"""Tokens as explorers show them: not too many, and each with a name that can be seen."""

LONGEST = 64  # tokens: a picture of more is not read by anyone


def capped(ids: list[int], most: int = LONGEST) -> list[int]:
    """`ids`, or a ValueError that says how long a text may be."""
    if not ids:
        raise ValueError("type some text")
    if len(ids) > most:
        raise ValueError(f"{len(ids)} tokens are too many to show: {most} at most")
    return ids


def token_name(tokenizer, id: int) -> str:
    """A token with all of it visible; an id that the tokenizer lacks (a padded table) as <id>."""
    return tokenizer.token_str(id) if id < tokenizer.vocab_size else f"<{id}>"
