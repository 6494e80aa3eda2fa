"""The start from a fresh checkout: what is made, repaired, kept and refused, and what it costs."""

from __future__ import annotations

import ast
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from orgseg_app import bootstrap, environment, python_packages, stamp, system_packages

_STARTING = ("__init__", "bootstrap", "environment", "python_packages", "stamp", "system_packages")

# A project like ours in small: pip builds it without any download, and its "Qt" is an empty module.
_PYPROJECT = """
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]

[project]
name = "orgseg"
version = "1"

[project.optional-dependencies]
dev = []
"""
_BACKEND = """
import base64, hashlib, zipfile
METADATA = "Metadata-Version: 2.1\\nName: orgseg\\nVersion: 1\\nProvides-Extra: dev\\n"
def build_editable(folder, config_settings=None, metadata_directory=None):
    info = "orgseg-1.dist-info"
    files = {
        "orgseg.pth": "",
        "PySide6/__init__.py": "# Qt",
        "PySide6/QtWidgets.py": "# Qt",
        f"{info}/METADATA": METADATA,
        f"{info}/WHEEL": "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n",
    }
    record = ""
    with zipfile.ZipFile(f"{folder}/orgseg-1-py3-none-any.whl", "w") as wheel:
        for name, text in files.items():
            wheel.writestr(name, text)
            digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=")
            record += f"{name},sha256={digest.decode()},{len(text)}\\n"
        wheel.writestr(f"{info}/RECORD", record + f"{info}/RECORD,,\\n")
    return "orgseg-1-py3-none-any.whl"
"""
_MAIN = """
import sys
from orgseg_app.bootstrap import ensure
ensure(tuple(sys.argv[1:2]) if sys.argv[1:2] == ["dev"] else ())
import json
print(json.dumps([sys.prefix, sys.argv[1:]]))
sys.exit(7)
"""


@pytest.fixture
def checkout(tmp_path: Path, root: Path) -> Path:
    """A small project with our start modules, in a folder whose name is awkward."""
    folder = tmp_path / "ünï [x] code"
    (folder / "orgseg_app").mkdir(parents=True)
    for name in _STARTING:
        shutil.copy(root / "orgseg_app" / f"{name}.py", folder / "orgseg_app")
    (folder / "packaging").mkdir()
    (folder / "packaging" / "constraints.txt").write_text("nothing==1\n", encoding="utf-8")
    (folder / "pyproject.toml").write_text(_PYPROJECT, encoding="utf-8")
    (folder / "backend.py").write_text(_BACKEND, encoding="utf-8")
    (folder / "main.py").write_text(_MAIN, encoding="utf-8")
    return folder


def _start(
    checkout: Path, *arguments: str, python: str = "", **variables: str
) -> subprocess.CompletedProcess[str]:
    """Start the small project without a screen and without any package index."""
    variables = {**os.environ, "PIP_NO_INDEX": "1", "PYTHONUTF8": "1", **variables}
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        variables.pop(name, None)
    return subprocess.run(
        [python or _outer_python(), "main.py", *arguments],
        cwd=checkout,
        env=variables,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )


def _outer_python() -> str:
    """The Python that the tests' own environment was made from."""
    return str(getattr(sys, "_base_executable", sys.executable))


def _stamped(checkout: Path, **facts: str) -> None:
    """Give the small project an empty environment and a stamp that vouches for it."""
    made = [_outer_python(), "-m", "venv", "--without-pip", str(checkout / ".venv")]
    subprocess.run(made, check=True)
    base = _outer_python()
    facts = {
        "extras": "",
        "base": base,
        "libraries": "window",
        "seen": stamp.seen(os.path.realpath(checkout), base),
        **facts,
    }
    stamp.write(str(checkout), facts)


@pytest.mark.slow
def test_the_first_start_makes_the_environment_and_the_next_uses_it(checkout: Path) -> None:
    first = _start(checkout, "a b", "ü")
    assert first.returncode == 7, first.stderr
    assert json.loads(first.stdout) == [os.path.realpath(checkout / ".venv"), ["a b", "ü"]]
    assert "downloads PyTorch, Qt, OpenCV" in first.stderr
    assert "GB on the disk" in first.stderr
    assert not (checkout / "orgseg.egg-info").exists()

    second = _start(checkout)
    assert second.returncode == 7
    assert second.stderr == ""

    # Asking for more than is there installs it; afterwards, both starts are quick.
    assert "up to date" in _start(checkout, "dev").stderr
    assert _start(checkout, "dev").stderr == ""
    assert _start(checkout).stderr == ""

    # What an interrupted install leaves: no stamp, a package without its files.
    packages = next((checkout / ".venv").rglob("QtWidgets.py")).parent
    (packages / "QtWidgets.py").unlink()
    (checkout / ".venv" / stamp.NAME).unlink()
    repaired = _start(checkout)
    assert "installing again: orgseg 1" in repaired.stderr
    assert (packages / "QtWidgets.py").exists()
    assert _start(checkout).stderr == ""

    # New times alone do not wake pip, new contents do.
    os.utime(checkout / "pyproject.toml", (1, 1))
    assert _start(checkout).stderr == ""
    (checkout / "packaging" / "constraints.txt").write_text("nothing==2\n", encoding="utf-8")
    assert "up to date" in _start(checkout).stderr

    # The folder was moved: the paths in the environment are made anew.
    moved = checkout.rename(checkout.with_name("moved"))
    assert "up to date" in _start(moved).stderr
    assert json.loads(_start(moved).stdout)[0] == os.path.realpath(moved / ".venv")


@pytest.mark.slow
def test_two_starts_at_once_install_once(checkout: Path) -> None:
    starts: list[subprocess.CompletedProcess[str]] = []
    threads = [threading.Thread(target=lambda: starts.append(_start(checkout))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [start.returncode for start in starts] == [7, 7]
    installed = [start for start in starts if "sets itself up" in start.stderr]
    assert len(installed) == 1


@pytest.mark.slow
def test_an_install_that_fails_says_why_and_leaves_no_stamp(checkout: Path) -> None:
    wanting = _PYPROJECT.replace('version = "1"', 'version = "1"\ndependencies = ["missing-thing"]')
    (checkout / "pyproject.toml").write_text(wanting, encoding="utf-8")
    backend = _BACKEND.replace("Provides-Extra", "Requires-Dist: missing-thing\\nProvides-Extra")
    (checkout / "backend.py").write_text(backend, encoding="utf-8")
    failed = _start(checkout)
    assert failed.returncode == 1
    assert "the package index has no missing-thing" in failed.stderr
    assert "the next start goes on from here" in failed.stderr
    assert "Traceback" not in failed.stderr
    assert not (checkout / ".venv" / stamp.NAME).exists()
    assert (checkout / ".venv" / python_packages.LOG).exists()


@pytest.mark.slow
def test_an_environment_whose_python_is_gone_is_made_anew(checkout: Path) -> None:
    _stamped(checkout)
    assert _start(checkout).returncode == 7
    shutil.rmtree(checkout / ".venv" / ("Scripts" if os.name == "nt" else "bin"))
    again = _start(checkout)
    assert again.returncode == 7, again.stderr
    assert "sets itself up" in again.stderr or "up to date" in again.stderr


def test_a_stamped_environment_is_entered_with_arguments_and_exit_code(checkout: Path) -> None:
    _stamped(checkout)
    done = _start(checkout, "info", "my project.orgseg", "--json")
    assert done.returncode == 7
    prefix, arguments = json.loads(done.stdout)
    assert prefix == os.path.realpath(checkout / ".venv")
    assert arguments == ["info", "my project.orgseg", "--json"]
    inside = _start(checkout, python=stamp.python_path(str(checkout)))
    assert json.loads(inside.stdout) == [prefix, []]


@pytest.mark.skipif(os.name == "nt", reason="the damage is made with a symbolic link")
def test_an_environment_that_is_none_ends_with_a_sentence(checkout: Path) -> None:
    _stamped(checkout)
    (checkout / ".venv" / "pyvenv.cfg").unlink()
    done = _start(checkout)
    assert done.returncode == 1
    assert "is damaged" in done.stderr
    assert "delete the folder and start again" in done.stderr


def test_nothing_happens_when_installed_or_frozen(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = checkout / "site-packages"
    (site / "orgseg-0.1.0.dist-info").mkdir(parents=True)
    installed = _start(checkout, PYTHONPATH=str(site))
    assert installed.returncode == 7
    assert not (checkout / ".venv").exists()
    (checkout / "pyproject.toml").unlink()
    assert _start(checkout).returncode == 7
    assert not (checkout / ".venv").exists()
    monkeypatch.setattr("sys.frozen", True, raising=False)
    monkeypatch.setattr(stamp, "read", _never)
    bootstrap.ensure()


def _never(*_: object, **__: object) -> None:
    raise AssertionError("this must not be reached")


def test_an_old_python_gets_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.version_info", (3, 10, 12, "final", 0))
    monkeypatch.setattr(stamp, "read", _never)
    with pytest.raises(SystemExit, match=r"needs Python 3\.11 or newer, and this is Python 3\.10"):
        bootstrap.ensure()


def test_a_python_that_is_too_new_gets_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.version_info", (3, 15, 0, "final", 0))
    with pytest.raises(stamp.SetupError, match=r"CPython 3\.11 to 3\.14, 64 bit"):
        environment._check_python()


@pytest.mark.parametrize("name", ["main.py", "tests/__main__.py", "orgseg_app/__init__.py",
                                  "orgseg_app/bootstrap.py", "orgseg_app/stamp.py"])  # fmt: skip
def test_what_an_old_python_reads_is_in_its_syntax(root: Path, name: str) -> None:
    source = (root / name).read_text(encoding="utf-8")
    ast.parse(source, name, feature_version=(3, 7))
    assert "match " not in source


def test_a_start_imports_next_to_nothing(checkout: Path) -> None:
    _stamped(checkout)
    code = (
        "import sys; before = set(sys.modules)\n"
        "from orgseg_app.bootstrap import ensure; ensure()\n"
        "print(sorted(set(sys.modules) - before))"
    )
    command = [stamp.python_path(str(checkout)), "-c", code]
    done = subprocess.run(command, cwd=checkout, capture_output=True, text=True, check=True)
    loaded = set(ast.literal_eval(done.stdout))
    assert loaded == {"orgseg_app", "orgseg_app.bootstrap", "orgseg_app.stamp", "__future__"}


def test_a_stamp_asks_again_when_something_changed(checkout: Path) -> None:
    root = os.path.realpath(checkout)
    assert not stamp.is_current(root, (), for_window=False)
    _stamped(checkout, extras="dev", libraries="memory")
    assert stamp.is_current(root, (), for_window=False)
    assert stamp.is_current(root, ("dev",), for_window=False)
    assert not stamp.is_current(root, ("dev", "zarr"), for_window=False)
    assert not stamp.is_current(root, (), for_window=True)
    for path in ("pyproject.toml", "packaging/constraints.txt"):
        _stamped(checkout)
        os.utime(checkout / path, (5, 5))
        assert not stamp.is_current(root, (), for_window=False)
    _stamped(checkout)
    Path(stamp.python_path(root)).unlink()
    assert not stamp.is_current(root, (), for_window=False)


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", b"seen\nseen=\n", b"seen=1 2 3"])
def test_a_strange_stamp_is_no_stamp(checkout: Path, content: bytes) -> None:
    _stamped(checkout)
    (checkout / ".venv" / stamp.NAME).write_bytes(content)
    assert not stamp.is_current(os.path.realpath(checkout), (), for_window=False)


def _package(
    packages: Path, name: str, files: dict[str, str], *, record: Callable[[str], str] | None = None
) -> None:
    """Write a package with its list of files, as pip leaves it."""
    info = packages / f"{name}-1.0.dist-info"
    info.mkdir(parents=True)
    rows = ""
    for path, text in files.items():
        (packages / path).parent.mkdir(parents=True, exist_ok=True)
        (packages / path).write_text(text, encoding="utf-8")
        rows += f"{path},sha256=x,{len(text)}\n"
    rows += f"{info.name}/RECORD,,\n"
    (info / "RECORD").write_text(rows if record is None else record(rows), encoding="utf-8")


def test_damaged_packages_are_forgotten_and_whole_ones_kept(tmp_path: Path) -> None:
    comma = "whole/with, comma.txt"
    files = {"whole/a.py": "a = 1", comma: "x"}
    _package(tmp_path, "whole", files, record=lambda rows: rows.replace(comma, f'"{comma}"'))
    # Some wheels bring compiled modules, which Python then writes anew in another size.
    files = {"compiled/a.pyc": "1", "compiled/a.py": ""}
    _package(tmp_path, "compiled", files, record=lambda rows: rows.replace("x,1", "x,99"))
    _package(tmp_path, "short", {"short/a.py": "a = 1"})
    (tmp_path / "short/a.py").write_text("a", encoding="utf-8")
    _package(tmp_path, "lost", {"lost/a.py": "a = 1"})
    (tmp_path / "lost/a.py").unlink()
    _package(tmp_path, "unfinished", {"unfinished/a.py": ""}, record=lambda _: "")
    (tmp_path / "nothing-1.0.dist-info").mkdir()
    (tmp_path / "~hole").mkdir()
    damaged = python_packages.drop_damaged(tmp_path)
    assert damaged == ["lost 1.0", "nothing 1.0", "short 1.0", "unfinished 1.0"]
    left = sorted(path.name for path in tmp_path.glob("*.dist-info"))
    assert left == ["compiled-1.0.dist-info", "whole-1.0.dist-info"]
    assert not (tmp_path / "~hole").exists()
    assert python_packages.drop_damaged(tmp_path) == []


def test_no_package_of_this_very_environment_counts_as_damaged() -> None:
    import sysconfig

    packages = Path(sysconfig.get_path("purelib"))
    broken = [
        info.name
        for info in packages.glob("*.dist-info")
        if not python_packages._is_whole(packages, info)
    ]
    assert broken == []


@pytest.mark.parametrize(
    "complaint, words",
    [
        ("WARNING: Retrying after connection broken by 'NewConnectionError(...)'", "no connection"),
        ("ERROR: ... Temporary failure in name resolution", "no connection"),
        ("SSLError(SSLCertVerificationError(1, 'CERTIFICATE_VERIFY_FAILED'))", "certificate"),
        ("ERROR: Could not install: [Errno 28] No space left on device", "disk is full"),
        ("ERROR: [WinError 5] Access is denied: 'torch_cpu.dll'", "Close other OrgSeg windows"),
        ("ERROR: No matching distribution found for torch==2.13.0", "no torch==2.13.0 for this"),
        ("WARNING: x\nERROR: Something new.\nnote: a note", "(Something new)"),
        ("", "no reason given"),
    ],
)
def test_pips_failures_in_plain_words(complaint: str, words: str) -> None:
    text = python_packages.explain(complaint)
    assert words in text
    assert text.endswith("What is already there stays; the next start goes on from here.")


@pytest.mark.parametrize(
    "installed, kept",
    [
        ([], False),
        (["torch-2.13.0.dist-info"], False),
        (["torch-2.12.0.dist-info"], False),
        (["torch-2.13.0+cpu.dist-info"], False),  # satisfies the pin as it is
        (["torch-2.12.1+cu126.dist-info"], True),
    ],
)
def test_a_pytorch_chosen_for_a_graphics_card_is_kept(
    tmp_path: Path, installed: list[str], kept: bool
) -> None:
    for folder in ("packaging", ".venv/lib"):
        (tmp_path / folder).mkdir(parents=True)
    path = tmp_path / "packaging" / "constraints.txt"
    path.write_text("scipy==1\ntorch==2.13.0\nzarr==3\n", encoding="utf-8")
    for name in installed:
        (tmp_path / ".venv" / "lib" / name).mkdir()
    said: list[str] = []
    used = python_packages._constraints(tmp_path, tmp_path / ".venv" / "lib", said.append)
    pins = used.read_text(encoding="utf-8").split()
    assert pins == (["scipy==1", "zarr==3"] if kept else ["scipy==1", "torch==2.13.0", "zarr==3"])
    assert bool(said) == kept


class _Debian:
    """A stand-in for the system: which libraries load, who we are, and what apt-get did."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, user: int, apt: bool = True) -> None:
        self.libraries: set[str] = set()
        self.has_venv = False
        self.commands: list[list[str]] = []
        monkeypatch.setattr("sys.platform", "linux")
        monkeypatch.setattr(os, "geteuid", lambda: user, raising=False)
        monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}" if apt else None)
        monkeypatch.setattr(system_packages, "_loads", self.libraries.__contains__)
        monkeypatch.setattr(system_packages, "_has_venv", lambda: self.has_venv)
        monkeypatch.setattr(subprocess, "run", self._run)

    def _run(self, command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        self.commands.append(command)
        everything = {**system_packages.TO_PAINT, **system_packages.TO_SHOW}
        if "install" in command:
            self.libraries |= {name for name, package in everything.items() if package in command}
            self.has_venv = any(word.endswith("-venv") for word in command)
        return subprocess.CompletedProcess(command, 0, stdout="done")


def test_root_gets_the_missing_system_packages_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    debian = _Debian(monkeypatch, user=0)
    said: list[str] = []
    system_packages.provide(for_window=False, for_venv=True, tell=said.append)
    update, install = debian.commands
    assert update == ["apt-get", "update"]
    assert {"libgl1", "libegl1", "libxkbcommon0", "libfontconfig1", "libdbus-1-3"} <= set(install)
    assert f"python3.{sys.version_info.minor}-venv" in install
    assert not {"libxcb-cursor0", "libxcb-icccm4"} & set(install)
    assert "libgl1" in said[0]
    system_packages.provide(for_window=False, for_venv=True, tell=_never)
    assert len(debian.commands) == 2


def test_others_are_told_the_exact_line(monkeypatch: pytest.MonkeyPatch) -> None:
    debian = _Debian(monkeypatch, user=1000)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    debian.libraries |= set(system_packages.TO_PAINT)
    debian.has_venv = True
    with pytest.raises(stamp.SetupError) as refusal:
        system_packages.provide(for_window=True, for_venv=False, tell=_never)
    packages = " ".join(system_packages.TO_SHOW.values())
    line = f"sudo apt-get install --no-install-recommends {packages}"
    assert f"    sudo apt-get update && {line}\n" in str(refusal.value)
    assert debian.commands == []
    system_packages.provide(for_window=False, for_venv=False, tell=_never)


def test_other_systems_are_told_the_libraries(monkeypatch: pytest.MonkeyPatch) -> None:
    _Debian(monkeypatch, user=0, apt=False)
    with pytest.raises(stamp.SetupError, match=r"libGL\.so\.1, libEGL\.so\.1") as refusal:
        system_packages.provide(for_window=False, for_venv=False, tell=_never)
    assert "package manager" in str(refusal.value)


def test_where_a_window_can_be_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("sys.platform", "linux")
    assert not bootstrap.has_display()
    assert not bootstrap.needs_window_libraries()
    monkeypatch.setenv("QT_QPA_PLATFORM", "offscreen:size=800x600")
    assert bootstrap.has_display()
    assert not bootstrap.needs_window_libraries()
    monkeypatch.setenv("QT_QPA_PLATFORM", "")
    monkeypatch.setenv("DISPLAY", ":0")
    assert bootstrap.needs_window_libraries()
    monkeypatch.setattr("sys.platform", "win32")
    monkeypatch.delenv("DISPLAY")
    assert bootstrap.has_display()
