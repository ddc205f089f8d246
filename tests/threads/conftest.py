# SPDX-License-Identifier: MIT
"""Banks with several threads: what those with one are tested for, and what several could do wrong."""

import sys

from bank import TESTS

for folder in ("contract", "model"):  # whose tests and live banks serve here too
    sys.path.append(str(TESTS / folder))
