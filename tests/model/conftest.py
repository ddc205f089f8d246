# SPDX-License-Identifier: MIT
"""Hypothesis keeps the lives that failed, to try them first the next time, with what is built."""

import os

from bank import BINARY

os.environ.setdefault("HYPOTHESIS_STORAGE_DIRECTORY",
                      os.path.join(os.path.dirname(BINARY), "hypothesis"))
