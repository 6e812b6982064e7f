"""Let an environment see the packages of another one, those installed for editing too.

    inner/bin/python tools/see_packages.py "$(outer/bin/python tools/see_packages.py)"

Without an argument it says where this Python's packages are.
"""

import sys
import sysconfig
from pathlib import Path


def main(outer: str | None = None) -> None:
    here = Path(sysconfig.get_path("purelib"))
    if outer is None:
        print(here)
    else:
        (here / "outer.pth").write_text(f"import site; site.addsitedir({outer!r})\n")


if __name__ == "__main__":
    main(*sys.argv[1:2])
