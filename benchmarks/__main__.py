"""`make bench`: everything side by side, into benchmarks/RESULTS.md."""

from tests.browser import NO_CHROMIUM, find_chromium

from . import core, encoding, loading, widgets
from .side_by_side import write_table

BEGIN, END = "<!-- core: begin -->", "<!-- core: end -->"


def main() -> None:
    write_table(core.rows(), BEGIN, END)
    try:
        encoding.main()
    except FileNotFoundError as error:
        print(f"Encoding was not measured: {error}")
    loading.main()
    if find_chromium():
        widgets.main()
    else:
        print(f"The explorers were not measured: {NO_CHROMIUM}")


if __name__ == "__main__":
    main()
