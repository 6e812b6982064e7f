"""The checks of the exercises, and the answers that are tried on them."""

import pytest

pytest.register_assert_rewrite("checks.rules")
