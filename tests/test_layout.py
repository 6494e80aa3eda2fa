"""The house keeps its shape: layers, sizes, names, what a start loads, what may be in the tree."""

from __future__ import annotations

import ast
import functools
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "orgseg_app"
MODULES = sorted(PACKAGE.rglob("*.py"))
LONG, TOO_LONG = 400, 600

# The card's top level, and what tools and hosts want to find there.
TOP_LEVEL = {
    "main.py", "pyproject.toml", "README.md", "orgseg_app", "resources", "packaging", "tests",
    "LICENSE", "CHANGELOG.md", ".ci", ".github", ".gitignore", ".gitattributes", ".editorconfig",
    ".pre-commit-config.yaml",
}  # fmt: skip
VAGUE_NAMES = {"utils", "util", "helpers", "helper", "common", "manager", "handler", "misc", "base"}
# Words of the "avoid" column that have no honest use in our names; the others (data, label, scale,
# session …) also mean something else somewhere.
AVOIDED_WORDS = {"category", "categories", "experiment", "experiments", "iteration", "devset"}


def _shown(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@functools.cache
def _files() -> tuple[Path, ...]:
    """The files that are in the project or about to be: what git does not ignore."""
    git = shutil.which("git")
    if git is not None and (ROOT / ".git").exists():
        command = [git, "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
        if done.returncode == 0:
            names = os.fsdecode(done.stdout).split("\0")
            return tuple(ROOT / name for name in names if name and (ROOT / name).is_file())
    ignored = re.compile(r"^(\.venv|\.git|__pycache__|\.\w+_cache|\.hypothesis|.*\.egg-info)$")
    found = []
    for folder, folders, names in os.walk(ROOT):
        folders[:] = [name for name in folders if not ignored.match(name)]
        found += [Path(folder, name) for name in names]
    return tuple(found)


def _texts() -> Iterator[tuple[Path, str]]:
    for path in _files():
        content = path.read_bytes()
        if b"\0" not in content:
            yield path, content.decode("utf-8")


def _in_a_fresh_interpreter(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_imports_point_down() -> None:
    code = (
        "from importlinter.cli import lint_imports\n"
        "print('exit code', lint_imports(no_cache=True, no_logo=True))"
    )
    said = _in_a_fresh_interpreter(code)
    assert said.endswith("exit code 0"), said


def test_every_layer_contract_covers_every_module() -> None:
    """A new top-level module must be named in the contracts that close the doors."""
    config = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    ours = {f"orgseg_app.{path.stem}" for path in PACKAGE.iterdir() if path.suffix == ".py"}
    ours |= {f"orgseg_app.{path.parent.name}" for path in PACKAGE.glob("*/__init__.py")}
    ours.remove("orgseg_app.__init__")
    at_home = {"Qt lives": "gui", "torch lives": "learn", "Disk formats live": "files"}
    for contract in config["tool"]["importlinter"]["contracts"]:
        for start, home in at_home.items():
            if contract["name"].startswith(start):
                assert set(contract["source_modules"]) == ours - {f"orgseg_app.{home}"}
                at_home = {key: value for key, value in at_home.items() if key != start}
    assert at_home == {}


def test_files_stay_short() -> None:
    lengths = {
        _shown(path): len(path.read_text(encoding="utf-8").splitlines())
        for path in _files()
        if path.suffix == ".py"
    }
    long = {name: length for name, length in lengths.items() if length >= LONG}
    for name, length in sorted(long.items(), key=lambda item: -item[1]):
        print(f"{length} lines: {name}")
    too_long = {name: length for name, length in long.items() if length > TOO_LONG}
    assert too_long == {}, f"split these; those from {LONG} lines on are {long}"


def test_modules_have_names_that_say_something() -> None:
    vague = [_shown(path) for path in MODULES if VAGUE_NAMES & set(path.stem.split("_"))]
    assert vague == []


def test_avoided_words_are_in_no_name() -> None:
    found = []
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = []
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                names.append(node.name)
            elif isinstance(node, ast.arg):
                names.append(node.arg)
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                names.append(node.id)
            for name in names:
                words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower().split("_")
                if AVOIDED_WORDS & set(words):
                    found.append(f"{_shown(path)}: {name}")
    assert found == []


def test_packages_say_what_they_are_and_import_nothing() -> None:
    for path in PACKAGE.rglob("__init__.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        assert ast.get_docstring(tree), _shown(path)
        rest = [ast.unparse(node) for node in tree.body[1:]]
        allowed = [r"__version__ = '[\d.]+'"] if path.parent == PACKAGE else []
        assert all(any(re.fullmatch(p, line) for p in allowed) for line in rest), _shown(path)


def test_every_folder_of_modules_is_a_package() -> None:
    folders = {path.parent for path in MODULES}
    assert [_shown(folder) for folder in folders if not (folder / "__init__.py").exists()] == []


def test_everything_public_has_a_docstring() -> None:
    bare = []
    for path in MODULES:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        nodes: list[tuple[str, ast.AST]] = [("module", tree)]
        for node in tree.body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                nodes.append((node.name, node))
        for name, node in nodes:
            if not name.startswith("_") and ast.get_docstring(node) is None:  # type: ignore[arg-type]
                bare.append(f"{_shown(path)}: {name}")
    assert bare == []


def test_the_window_starts_without_slow_libraries() -> None:
    """torch alone would add more than a second and 200 MB to every start."""
    code = (
        "import sys, orgseg_app.gui.app\n"
        "slow = ['torch', 'scipy', 'skimage', 'zarr', 'tifffile', 'imagecodecs', 'pandas']\n"
        "print([name for name in slow if name in sys.modules],\n"
        "      [name for name in sys.modules if name.startswith('orgseg_app.learn')])"
    )
    assert _in_a_fresh_interpreter(code) == "[] []"


def test_the_command_line_starts_without_any_library() -> None:
    code = (
        "import sys, orgseg_app.__main__, orgseg_app.cli\n"
        "libraries = ['numpy', 'cv2', 'torch', 'PySide6', 'h5py']\n"
        "print([name for name in libraries if name in sys.modules])"
    )
    assert _in_a_fresh_interpreter(code) == "[]"


def test_a_job_loads_no_qt() -> None:
    names = sorted(
        ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for path in (PACKAGE / "learn").rglob("*.py")
        if path.name != "__init__.py"
    )
    assert "orgseg_app.learn.job" in names
    code = (
        f"import sys, importlib\nfor name in {names!r}: importlib.import_module(name)\n"
        "print([name for name in sys.modules\n"
        "       if name.split('.')[0] in ('PySide6', 'shiboken6', 'qtpy', 'pyqtgraph', 'superqt')\n"
        "       or name.startswith('orgseg_app.gui')])"
    )
    assert _in_a_fresh_interpreter(code) == "[]"


def test_no_path_of_a_certain_machine_is_in_the_tree() -> None:
    # Put together, so that this file does not contain what it looks for.
    places = ["work/main", "work/shared", "opt/wheels", "opt/pypi", "root/"]
    places += [r"Users/\w+/", r"home/(?!anna/)\w+/"]
    pattern = re.compile(r"(?<![\w.~])/(" + "|".join(places) + ")")
    found = []
    for path, text in _texts():
        for number, line in enumerate(text.splitlines(), 1):
            if pattern.search(line):
                found.append(f"{_shown(path)}:{number}: {line.strip()[:80]}")
    assert found == []


def test_the_top_level_stays_the_cards() -> None:
    top = {path.relative_to(ROOT).parts[0] for path in _files()}
    assert top - TOP_LEVEL == set()
    assert {"main.py", "pyproject.toml", "orgseg_app", "packaging", "tests", "LICENSE"} <= top


def test_packaging_is_no_package() -> None:
    """An __init__.py there would shadow the library that pytest and setuptools need."""
    assert not (ROOT / "packaging" / "__init__.py").exists()


def test_every_dependency_is_pinned_within_its_range() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [Requirement(text) for text in project["dependencies"]]
    for group in project["optional-dependencies"].values():
        wanted += [Requirement(text) for text in group]
    pins: dict[str, str] = {}
    text = (ROOT / "packaging" / "constraints.txt").read_text(encoding="utf-8")
    for line in text.splitlines():
        if line and not line.startswith("#"):
            name, _, version = line.partition("==")
            assert re.fullmatch(r"[\w.]+", version), f"not an exact public version: {line}"
            pins[canonicalize_name(name)] = version
    for requirement in wanted:
        pin = pins.get(canonicalize_name(requirement.name))
        assert pin is not None, f"{requirement.name} has no pin"
        assert pin in requirement.specifier, f"{requirement} does not allow {pin}"


def test_every_file_read_in_the_readme_exists() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)#:\s]+)\)", text)
    assert [link for link in links if not (ROOT / link).exists()] == []


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such permission")
def test_the_ci_script_can_be_run() -> None:
    assert os.access(ROOT / ".ci" / "run", os.X_OK)
