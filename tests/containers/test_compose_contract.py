# SPDX-License-Identifier: MIT
"""The contract on port 9999 of each compose file; see conftest.py for what is left out."""

import importlib

for suite in ("concurrency", "fields", "http", "http_noise", "http_refusals", "idempotency", "json", "money", "order",
              "routes"):
    globals().update({name: thing for name, thing in vars(importlib.import_module(f"test_{suite}")).items()
                      if not name.startswith("__")})
