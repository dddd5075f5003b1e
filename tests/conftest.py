"""What all tests share: a cache folder of their own, so that a run leaves the user's as it was."""

from __future__ import annotations

import os
import tempfile

import pytest


def pytest_configure(config: pytest.Config) -> None:
    folder = tempfile.TemporaryDirectory(prefix="stance-cache-")
    os.environ["XDG_CACHE_HOME"] = folder.name  # of the processes that tests start, too
    config.add_cleanup(folder.cleanup)
