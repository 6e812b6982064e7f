"""Tokenizers that several tests of files share."""

import pytest
from texts import DIFFICULT, EOT, PETS, USER, train_quietly

from gptlib.tokenizer import Tokenizer


@pytest.fixture(scope="session")
def learned():
    """One that learned from a short English text; not to be changed."""
    return Tokenizer.train(PETS, 300)


@pytest.fixture(scope="session")
def mixed():
    """Merges inside characters of several bytes, spaces, newlines, control characters."""
    return train_quietly(" ".join(DIFFICULT) + PETS, 600, special_tokens=(EOT, USER))
