"""What the tests at the real window share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.hand import Hand


@pytest.fixture
def hand(qapp: object) -> Iterator[Hand]:
    """A window; closed at the end, with everything saved."""
    hand = Hand()
    yield hand
    hand.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder whose name is no ASCII."""
    place = tmp_path / "Zellen é 細胞 mit Leerzeichen"
    place.mkdir()
    return place
