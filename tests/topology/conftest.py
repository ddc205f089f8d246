# SPDX-License-Identifier: MIT
"""Two instances behind NGINX: what single banks are tested for, and what becomes of one when another dies."""

import sys

from bank import TESTS

for folder in ("contract", "postgres"):  # whose tests, load and judge serve here too
    sys.path.append(str(TESTS / folder))
