"""Fixtures that every test may ask for by name."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

RECORDED = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def recorded() -> Path:
    """Return the folder of recorded vendor files, which lies beside the project, if anywhere."""
    folder = Path(os.environ.get("INGOT_RECORDED_DATA", RECORDED))
    if not folder.is_dir():
        pytest.skip("the recorded vendor data is not beside the project")
    return folder
