"""Where the experiments take place, and what they need."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.files.crash import shim
from tests.files.crash.memory import folder_in_memory


@pytest.fixture(autouse=True)
def only_where_processes_can_be_forked() -> None:
    """The nursery forks; Windows and macOS run the store's other tests."""
    if sys.platform != "linux":
        pytest.skip("the nursery of these tests needs Linux")


@pytest.fixture(scope="session")
def memory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder in memory for all of them."""
    with folder_in_memory(tmp_path_factory.mktemp("memory")) as folder:
        yield folder


@pytest.fixture(scope="module")
def module_scratch(memory: Path, request: pytest.FixtureRequest) -> Path:
    """A folder in memory for what the tests of one module share."""
    folder = memory / str(request.node.path.stem)
    folder.mkdir()
    return folder


@pytest.fixture
def scratch(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory for one test."""
    with folder_in_memory(tmp_path) as folder:
        yield folder


@pytest.fixture(autouse=True)
def orgseg_home(memory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home in memory: every opening notes there which state of the project is known."""
    home = memory / f"home {tmp_path.name}"
    monkeypatch.setenv("ORGSEG_HOME", str(home))
    return home


@pytest.fixture(scope="session")
def recorder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The library that stands between a program and the C library; skips where there is none."""
    return shim.build(tmp_path_factory.mktemp("recorder"))
