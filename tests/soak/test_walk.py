"""The walk of `make soak`: by chance, or as SEED says."""

from __future__ import annotations

import os
import random

import pytest

from tests.soak.walk import walk

pytestmark = pytest.mark.docker
SEED = os.environ.get("PLANCTON_SOAK_SEED", "")
MINUTES = float(os.environ.get("PLANCTON_SOAK_MINUTES", "1"))


@pytest.mark.timeout(60 * MINUTES + 400)
def test_a_random_walk_breaks_nothing() -> None:
    """Whatever is done to it, in whatever order; a failure says how to repeat it."""
    seed = int(SEED or random.SystemRandom().randrange(1_000_000))
    print(f"\nwalk: SEED={seed} for {MINUTES:g} minutes")
    print(f"walk: {walk(seed, MINUTES)} steps, and all held")
