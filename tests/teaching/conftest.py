"""A page and a JupyterLab in a browser, for tests of what is shown in one."""

from pages import lab, laboratory, page  # noqa: F401 (fixtures)
