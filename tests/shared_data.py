"""Vocabularies of real checkpoints, too large for this repository: there or not."""

from pathlib import Path

import pytest

SHARED = Path(__file__).parents[2] / "shared" / "data"

needs_shared = pytest.mark.skipif(
    not SHARED.exists(), reason="the shared vocabularies are not here"
)
