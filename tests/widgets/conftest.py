"""A page and a JupyterLab in a browser, for tests of what is shown in one."""

import pytest

pytest.register_assert_rewrite("live")

from pages import lab, laboratory, page  # noqa: E402, F401 (fixtures; after the line above, to be of use)
