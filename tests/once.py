# SPDX-License-Identifier: MIT
"""What is made once in a run, by whoever needs it first; tests in the background may ask at the same time."""

import functools
import threading

making = threading.RLock()


def once(make):
    made = functools.lru_cache(maxsize=None)(make)

    @functools.wraps(make)
    def get():
        with making:
            return made()

    return get
