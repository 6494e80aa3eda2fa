"""What every test gets: no screen, no network, a home, and a look at what it leaves behind."""

from __future__ import annotations

import gc
import itertools
import os
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

# Before anything imports torch or OpenCV. Waiting OpenMP threads otherwise spin: beside one other
# busy process a 20 ms prediction took 1,100 ms.
os.environ["OMP_WAIT_POLICY"] = "PASSIVE"
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MKL_NUM_THREADS", "1")

import psutil
import pytest
from hypothesis import settings as hypothesis_settings
from pytestqt.qtbot import QtBot

hypothesis_settings.register_profile("orgseg", deadline=None, derandomize=True, database=None)
hypothesis_settings.load_profile("orgseg")

# A busy machine is late, not wrong.
for _waiting in (QtBot.waitUntil, QtBot.waitSignal, QtBot.waitSignals):
    _waiting.__kwdefaults__["timeout"] = 30_000

_ROOT = Path(__file__).resolve().parents[1]
_SHARED_DATA = Path(
    os.environ.get("ORGSEG_SHARED_DATA", Path(__file__).resolve().parents[2] / "shared" / "data")
)
_home_number = itertools.count()
LEFTOVER_PATIENCE_S = 2.0


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--headed", action="store_true", help="show the windows on the real screen")


def pytest_configure(config: pytest.Config) -> None:
    # pytest-xdist's workers do not get the option, but they inherit the environment.
    if config.getoption("--headed", default=False):
        os.environ["ORGSEG_TESTS_HEADED"] = "1"
    if "ORGSEG_TESTS_HEADED" not in os.environ:
        os.environ["QT_QPA_PLATFORM"] = "offscreen"
    _close_the_network()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        fixtures = getattr(item, "fixturenames", ())
        if "shared_data" in fixtures:
            item.add_marker("data")
        if "qapp" in fixtures:
            item.add_marker("gui")


def pytest_collection_finish() -> None:
    """Let nobody look again at what is there before the first test.

    That is a million objects, most of them the tests themselves: each full collection, and each
    look of `nothing_left_behind`, would take a good part of a second.
    """
    gc.collect()
    gc.freeze()


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("gpu") is not None:
        import torch

        if not torch.cuda.is_available():
            pytest.skip("no CUDA device here")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real images; where it is absent, the test skips and says so."""
    if not _SHARED_DATA.is_dir():
        pytest.skip(f"the real images are not at {_SHARED_DATA} (ORGSEG_SHARED_DATA names another)")
    return _SHARED_DATA


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout's folder."""
    return _ROOT


@pytest.fixture(autouse=True)
def orgseg_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of its own for the test's settings, logs and locks; made by whoever writes there."""
    home = tmp_path_factory.getbasetemp() / "homes" / str(next(_home_number))
    monkeypatch.setenv("ORGSEG_HOME", str(home))
    return home


@pytest.fixture(autouse=True)
def no_look_for_devices(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """No window of a test asks what it would train on, as it does 1.5 s after a project opened.

    The child that answers imports torch and takes a core from the test for two seconds; on a busy
    machine, where more tests last so long, that made all of them slower still. What is asked and
    answered is in `tests/gui/test_device_line.py`.
    """
    if "qapp" in request.fixturenames:
        monkeypatch.setattr("orgseg_app.gui.runs.device_line.DELAY_MS", 10**8)


@pytest.fixture(scope="module")
def one_reading_child() -> Iterator[None]:
    """One child reads for all tests of a module, as for all files of an import.

    To start one takes longer than all that most of these tests ask of it.
    """
    from orgseg_app.files.readers.apart import reading_apart

    with reading_apart():
        yield


@pytest.fixture(autouse=True)
def nothing_left_behind(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test that leaves a window, a running thread, an active timer or a process behind."""
    shows_windows = "qapp" in request.fixturenames
    before = _qt_leftovers() if shows_windows else {}
    yield
    left = []
    if shows_windows:
        left += _qt_left_since(before)
    left += _process_leftovers(kept=_shared_reader(request))
    if left:
        pytest.fail("The test left behind: " + "; ".join(left), pytrace=False)


def _qt_left_since(before: dict[int, str]) -> list[str]:
    """What is there now and was not before; what goes by itself soon may take its time.

    A thread that has just told its result still holds what it worked with for a moment, and on a
    busy machine the moment is long.
    """
    end = time.monotonic() + LEFTOVER_PATIENCE_S
    while True:
        left = [text for key, text in _qt_leftovers().items() if key not in before]
        if not left or time.monotonic() > end:
            return left
        time.sleep(0.02)


def _qt_leftovers() -> dict[int, str]:
    """Live windows, running QThreads and active timers: address to description."""
    from PySide6.QtCore import QCoreApplication, QEvent, QThread, QTimer
    from PySide6.QtWidgets import QApplication, QWidget
    from shiboken6 import getCppPointer, isValid

    if QApplication.instance() is None:
        return {}
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    found: dict[int, str] = {}

    def add(what: Any, kind: str) -> None:
        name = f" {what.objectName()!r}" if what.objectName() else ""
        found[getCppPointer(what)[0]] = f"{kind} {type(what).__name__}{name}"

    def look() -> None:
        found.clear()
        for window in QApplication.topLevelWidgets():
            # Qt keeps one tool tip for the whole application.
            if isValid(window) and window.metaObject().className() != "QTipLabel":
                add(window, "window")
        threads, timers = _kinds_of(QThread), _kinds_of(QTimer)
        kinds = threads | timers  # to ask every object what it inherits takes ten times as long
        for thing in [thing for thing in gc.get_objects() if type(thing) in kinds]:
            if not isValid(thing):
                continue
            if type(thing) in timers:
                if thing.isActive() and not _is_owned(thing, QWidget):
                    add(thing, "timer")
            elif thing.isRunning() and thing is not QThread.currentThread():
                add(thing, "thread")

    look()
    if found:
        gc.collect()  # widgets in reference cycles are garbage, not left behind
        QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
        look()
    return found


def _kinds_of(base: type) -> set[type]:
    """A class and all that inherit from it."""
    return {base}.union(*(_kinds_of(kind) for kind in base.__subclasses__()))


def _is_owned(thing: Any, owner: type) -> bool:
    """Tell whether a Qt object belongs to an owner of a kind that is looked at by itself."""
    parent = thing.parent()
    while parent is not None:
        if isinstance(parent, owner):
            return True
        parent = parent.parent()
    return False


def _shared_reader(request: pytest.FixtureRequest) -> int | None:
    """Process id of the child that reads for more than this test, where there is one."""
    if "one_reading_child" not in request.fixturenames:
        return None
    from orgseg_app.files.readers.apart import in_use

    child = in_use()
    return None if child is None else child.pid


def _process_leftovers(kept: int | None) -> list[str]:
    """Kill and describe the child processes that do not end by themselves soon.

    A job that has said its last word takes a while to go when the machine is busy. The one that is
    kept may go on.
    """
    if not _may_have_children():
        return []
    children = [
        child
        for child in psutil.Process().children(recursive=True)
        if child.pid != kept
        and not _is_ending(child)
        and "multiprocessing.resource_tracker" not in _command(child)
    ]
    _, alive = psutil.wait_procs(children, timeout=20) if children else ([], [])
    alive = [child for child in alive if not _is_ending(child)]
    described = [f"process {child.pid} ({_command(child)[:120]})" for child in alive]
    for child in alive:
        try:
            child.kill()
        except psutil.Error:
            continue
    psutil.wait_procs(alive, timeout=2)
    return described


def _may_have_children() -> bool:
    """False where the system says that there are none; psutil looks at all processes each time."""
    if not hasattr(os, "waitid"):
        return True
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def _is_ending(child: psutil.Process) -> bool:
    try:
        return child.status() in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)
    except psutil.Error:
        return True


def _command(child: psutil.Process) -> str:
    try:
        return " ".join(child.cmdline())
    except psutil.Error:
        return ""


def _close_the_network() -> None:
    """Let every attempt to reach or offer something over a network raise, for the whole session."""

    def closed(method: Callable[..., Any]) -> Callable[..., Any]:
        def guard(self: socket.socket, *arguments: Any) -> Any:
            if self.family in (socket.AF_INET, socket.AF_INET6):
                raise AssertionError(f"OrgSeg opens no sockets, and this is one: {arguments}")
            return method(self, *arguments)

        return guard

    for name in ("connect", "connect_ex", "bind", "sendto"):
        setattr(socket.socket, name, closed(getattr(socket.socket, name)))


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Run a command in this process: exit code, stdout, stderr."""
    from orgseg_app import cli

    def main(*words: object) -> tuple[int, str, str]:
        capsys.readouterr()
        code = cli.main([str(word) for word in words])
        shown = capsys.readouterr()
        assert "Traceback" not in shown.err
        return code, shown.out, shown.err

    return main
