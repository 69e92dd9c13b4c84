"""For every test: property tests draw the same examples at each run, so that CI is repeatable.

`HYPOTHESIS_PROFILE=exploring make test` draws new ones; what it finds becomes a plain test.
"""

import os

from hypothesis import settings

settings.register_profile("repeatable", derandomize=True, database=None)
settings.register_profile("exploring", print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))
