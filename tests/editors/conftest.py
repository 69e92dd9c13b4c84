"""The real editors run only for `make test-editors`, which says which and where they are installed.

`make test` leaves their modules out: they need a browser and half a gigabyte of editors.
"""

from __future__ import annotations

import os

collect_ignore_glob = [] if os.environ.get("GLM_TEST_EDITORS") else ["test_real_editors.py"]
