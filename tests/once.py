# SPDX-License-Identifier: MIT
"""What is made once in a run, by whoever needs it first; tests in the background may ask at the same time."""

import functools
import threading

making = threading.RLock()


def once(make):
    """What could not be made the first time cannot be made later either: it is not tried again."""
    @functools.lru_cache(maxsize=None)
    def made():
        try:
            return make(), None
        except BaseException as error:
            return None, error

    @functools.wraps(make)
    def get():
        with making:
            result, error = made()
        if error is not None:
            raise error
        return result

    return get
