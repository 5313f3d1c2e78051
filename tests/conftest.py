"""What all tests share."""

from __future__ import annotations

import gc
import os

from hypothesis import settings

# The same examples in every run, and no test that fails because the machine is busy. To look for new
# counterexamples: HYPOTHESIS_PROFILE=explore.
settings.register_profile("same", deadline=None, derandomize=True)
settings.register_profile("explore", deadline=None, max_examples=2000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))


def pytest_collection_finish() -> None:
    """What the collected modules hold stays: a board that collects garbage when it closes need not look through it."""
    gc.collect()
    gc.freeze()
