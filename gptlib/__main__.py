"""`python -m gptlib` is the `gptlib` command."""

import sys

from .cli import main

sys.exit(main())
