"""What the checks of the exercises say of wrong answers: mutants of right ones, and slips by hand.

`python -m benchmarks --only mutation`, into benchmarks/RESULTS.md. The answers are in tests/checks.
"""

import sys
import warnings

from .side_by_side import RESULTS, replace_section

BEGIN, END = "<!-- mutation: begin -->", "<!-- mutation: end -->"


def main() -> None:
    sys.path.insert(0, str(RESULTS.parent.parent / "tests"))
    from checks import table

    warnings.simplefilter("ignore")  # what mutants make PyTorch and NumPy warn of
    found = []
    for row in table.rows(table.LESSONS):
        print(row, flush=True)
        found.append(row)
    total = sum(len(row.wrong) for row in found)
    accepted = sum(row.count("accepted") for row in found)
    stopped, bare = (sum(row.count(told) for row in found) for told in ("trouble", ""))
    note = (
        f"Of {total:,} wrong answers to {len(found)} exercises {accepted} were accepted. "
        f"{stopped:,} gave no result (mostly an error of Python's, told with its line). Of the "
        f'other {total - stopped:,}, {bare} were told no more than "not right yet".'
    )
    replace_section(BEGIN, END, "\n".join([note, "", *table.HEAD, *map(str, found)]))


if __name__ == "__main__":
    main()
