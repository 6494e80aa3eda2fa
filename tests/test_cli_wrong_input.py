"""Wrong input by command line: exit code 1 or 2, one sentence on stderr, nothing lost.

What `test_cli.py`, `test_cli_projects.py` and `test_cli_runs.py` ask already is not asked again.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from orgseg_app import cli
from orgseg_app.core.classes import ClassInfo, background
from orgseg_app.files import atomic
from orgseg_app.files.project_file import ProjectFile
from orgseg_app.runs.folder import RunFolder, list_runs, runs_dir
from tests.gui import recorded_runs
from tests.pictures import blobs, make_project, write_pairs

pytestmark = pytest.mark.usefixtures("one_reading_child")

Run = Callable[..., tuple[int, str, str]]
Fails = Callable[..., str]
NOT_WORDS = ("Traceback", "Errno", "Error(", "Error:", "None", "object at", "0x")


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command in this process: exit code, stdout, stderr."""

    def main(*words: object) -> tuple[int, str, str]:
        capsys.readouterr()
        try:
            code = cli.main([str(word) for word in words])
        except SystemExit as end:  # wrong usage
            code = int(end.code or 0)
        shown = capsys.readouterr()
        return code, shown.out, shown.err

    return main


@pytest.fixture
def fails(run: Run) -> Fails:
    """Run a command that must fail: the one sentence it says."""

    def main(*words: object) -> str:
        code, out, err = run(*words)
        assert code in (1, 2), (words, out, err)
        lines = err.strip().splitlines()
        said = [line for line in lines if line.startswith("orgseg")]
        assert len(said) == 1, err
        assert lines[-1] == said[0], err
        assert len(lines) == 1 or words[0] == "import", err  # which says first what it found
        assert said[0].rstrip().endswith((".", "?")), err
        for word in NOT_WORDS:
            assert word not in err, err
        return err

    return main


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder whose name is no ASCII."""
    place = tmp_path / "Zellen é 細胞 mit Leerzeichen"
    place.mkdir()
    return place


def images_of(path: Path) -> list[str]:
    with ProjectFile.open(path, read_only=True) as file:
        for image_id in file.project.images:
            file.read_image(image_id)
        return [image.name for image in file.project.images.values()]


# Files


CONTENTS = {
    "empty": b"",
    "text": b"Liebes Tagebuch " * 50,
    "noise": np.random.default_rng(0).bytes(3000),
    "zeros": bytes(3000),
}


@pytest.mark.parametrize("kind", CONTENTS)
@pytest.mark.parametrize("suffix", [".tif", ".png", ".jpg", ".bmp"])
def test_files_that_are_no_images(folder: Path, fails: Fails, kind: str, suffix: str) -> None:
    path = make_project(folder / "Projekt ü.orgseg", ("train",))
    bad = folder / f"kein Bild ß{suffix}"
    bad.write_bytes(CONTENTS[kind])
    assert bad.name in fails("import", path, bad, "--yes")
    assert images_of(path) == ["zelle 0"]


@pytest.mark.parametrize("verb", ["info", "import", "export", "train", "runs", "compare", "verify"])
@pytest.mark.parametrize("kind", ["text", "empty", "half", "folder", "gone", "another HDF5"])
def test_projects_that_are_none(folder: Path, fails: Fails, verb: str, kind: str) -> None:
    path = folder / "kein Projekt ß.orgseg"
    if kind == "text":
        path.write_text("Dies ist kein Projekt.", "utf-8")
    elif kind == "empty":
        path.write_bytes(b"")
    elif kind == "half":
        make_project(path)
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    elif kind == "folder":
        path.mkdir()
    elif kind == "another HDF5":
        import h5py

        with h5py.File(path, "w") as file:
            file["data"] = np.zeros(4)
    before = path.read_bytes() if path.is_file() else None
    words: dict[str, list[object]] = {
        "import": [write_pairs(folder / "Bilder", 1), "--yes"],
        "export": ["--what", "masks", "--out", folder / "Masken"],
    }
    assert path.name in fails(verb, path, *words.get(verb, []))
    assert (path.read_bytes() if path.is_file() else None) == before
    assert not (folder / "Masken").exists()
    assert not path.with_name(path.name + ".lock").exists()


def test_folders_without_images(folder: Path, fails: Fails) -> None:
    path = make_project(folder / "Projekt ü.orgseg", ("train",))
    (folder / "leer ø").mkdir()
    assert "leer ø" in fails("import", path, folder / "leer ø")
    (folder / "leer ø" / "a.docx").write_bytes(b"PK")
    assert "other file" in fails("import", path, folder / "leer ø")


def test_the_folder_vanishes_between_look_and_import(
    folder: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    from orgseg_app.files import importing

    path = make_project(folder / "Projekt ü.orgseg", ("train",))
    source = write_pairs(folder / "USB Stick ü", 3)
    load = importing.load_item

    def gone(*arguments: Any, **more: Any) -> Any:
        shutil.rmtree(source, ignore_errors=True)
        return load(*arguments, **more)

    monkeypatch.setattr(importing, "load_item", gone)
    code, _, err = run("import", path, source, "--yes")
    assert code == 1
    assert "Traceback" not in err
    assert "zelle 0.tif" in err
    assert images_of(path) == ["zelle 0"]


@pytest.mark.parametrize(
    "shape", [(1, 1), (1, 300), (3, 20000), (20000, 3), (40, 60, 3), (5, 40, 60)]
)
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_images_of_every_shape(folder: Path, run: Run, shape: tuple[int, ...], dtype: str) -> None:
    if len(shape) == 3 and dtype == "float32" and shape[2] == 3:
        return  # no colour picture
    pixels = np.random.default_rng(0).integers(0, 255, shape).astype(dtype)
    if dtype == "float32":
        pixels.flat[::7] = np.nan
    more = {"photometric": "rgb"} if shape[-1] == 3 and len(shape) == 3 else {}
    tifffile.imwrite(folder / "bild ü.tif", pixels, **more)
    path = folder / "Projekt ü"
    assert run("new", path)[0] == 0
    code, out, err = run("import", path, folder / "bild ü.tif", "--yes")
    assert code == 0, err
    assert "1 image imported" in out
    assert run("info", path, "--json")[0] == 0
    assert run("verify", path)[0] == 0


def test_odd_class_names(folder: Path, run: Run, fails: Fails) -> None:
    names = "<b>x</b>,🧬 Kern,نواة"
    assert run("new", folder / "Projekt ü", "--classes", names)[0] == 0
    _, out, _ = run("info", folder / "Projekt ü", "--json")
    assert [c["name"] for c in json.loads(out)["classes"]][1:] == names.split(",")
    many = ",".join(f"klasse {i}" for i in range(300))
    assert "254" in fails("new", folder / "zu viele", "--classes", many)
    assert not (folder / "zu viele.orgseg").exists()
    most = ",".join(f"klasse {i}" for i in range(254))
    assert run("new", folder / "genug", "--classes", most)[0] == 0


def test_no_room_for_another_class(folder: Path, fails: Fails) -> None:
    path = folder / "voll ü.orgseg"
    classes = [background(), *(ClassInfo(i, f"klasse {i}", "#336699") for i in range(2, 256))]
    ProjectFile.create(path, classes).close()
    source = write_pairs(folder / "Bilder", 2)
    assert "class" in fails("import", path, source, "--class", "noch eine", "--yes")
    assert images_of(path) == []


# Places


@pytest.mark.parametrize("place", ["a file", "/proc/orgseg", "/dev/null"])
def test_places_where_nothing_can_be_written(folder: Path, fails: Fails, place: str) -> None:
    path = make_project(folder / "Projekt ü.orgseg")
    if place.startswith("/") and not Path(place).parent.is_dir():
        pytest.skip(f"there is no {Path(place).parent} here")
    (folder / "a file").write_text("mine")
    out = Path(place) if place.startswith("/") else folder / place
    model = folder / "modell.orgmodel"
    model.write_bytes(b"x")
    image = folder / "bild.tif"
    tifffile.imwrite(image, blobs(0)[0])
    fails("export", path, "--what", "masks", "--out", out)
    fails("export", path, "--what", "masks", "--out", out / "tiefer" / "ü")
    fails("predict", image, "--model", model, "--out", out)
    fails("new", out / "neu")
    assert (folder / "a file").read_text() == "mine"


def test_a_full_disk(folder: Path, fails: Fails, monkeypatch: pytest.MonkeyPatch) -> None:
    path = make_project(folder / "Projekt ü.orgseg")
    source = write_pairs(folder / "Bilder", 2)
    before = path.read_bytes()

    class Usage:
        free = 0

    monkeypatch.setattr(atomic.shutil, "disk_usage", lambda _: Usage)
    assert "not enough room" in fails("import", path, source, "--yes")
    assert "not enough room" in fails("train", path)
    assert path.read_bytes() == before
    assert list_runs(path) == []


# Runs


@pytest.fixture
def compared(folder: Path) -> tuple[Path, list[RunFolder]]:
    """A project with three finished runs."""
    path = folder / "Vergleich ü.orgseg"
    with recorded_runs.make_project(path, side=32) as file:
        return path, [
            recorded_runs.record_run(file, f"lauf ü {i}", quality=0.9, steps=40, seed=i)
            for i in range(3)
        ]


@pytest.mark.parametrize(
    "facts",
    [
        {"schema_version": "x", "name": ["a"]},
        {"recipe": {"name": 5}, "created": "yesterday", "warnings": 9},
        {"classes": 3, "images": "none", "name": {"a": 1}},
    ],
)
def test_runs_with_garbage_in_their_request(
    compared: tuple[Path, list[RunFolder]], run: Run, facts: dict[str, Any]
) -> None:
    path, runs = compared
    file = runs[1].path / "request.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | facts))
    for verb in ("runs", "compare", "info"):
        code, out, err = run(verb, path)
        assert code == 0, err
        assert "Traceback" not in err
        assert verb == "info" or "lauf ü 0" in out


def test_runs_with_garbage_in_events_and_scores(
    compared: tuple[Path, list[RunFolder]], run: Run, fails: Fails
) -> None:
    path, runs = compared
    runs[0].events_path.write_bytes(b'\xff\x00{"event": 5}\n[1]\n{"event": "step", "step": "x"}\n')
    runs[1].metrics_path.write_bytes(np.random.default_rng(0).bytes(500))
    facts = json.loads(runs[2].metrics_path.read_text())
    facts["images"][0] |= {"confusion": [["a"], [2]], "sha256": 4}
    facts["images"][1] = "x"
    facts["classes"], facts["test"] = {"a": 1}, [3]
    runs[2].metrics_path.write_text(json.dumps(facts))
    code, _, err = run("runs", path)
    assert code == 0, err
    code, out, err = run("compare", path)
    assert code in (0, 1)
    assert "Traceback" not in err
    assert "lauf ü" in out + err
    for file in runs_dir(path).glob("*/metrics.json"):
        file.write_text("{}")
    fails("compare", path)


def test_a_group_of_classes_that_the_project_has_or_lacks(
    compared: tuple[Path, list[RunFolder]], run: Run, fails: Fails
) -> None:
    path, _ = compared
    code, out, _ = run("compare", path, "--group", "er", "--json")
    assert code == 0
    found = json.loads(out)
    assert found["group"] == ["ER"]
    pooled = found["runs"][0]["pooled"]
    assert pooled["mean_iou_group"] == pytest.approx(pooled["iou"]["ER"])
    assert pooled["adapted_rand_error"]["ER"] >= 0
    assert "VOI split" in run("compare", path)[1]
    assert "ER" in fails("compare", path, "--group", "ER,Golgi")


def test_runs_folder_that_is_a_file(folder: Path, run: Run, fails: Fails) -> None:
    path = make_project(folder / "Projekt ü.orgseg")
    runs_dir(path).write_text("mine")
    assert run("runs", path)[0] == 0
    fails("train", path)
    fails("compare", path)
    assert runs_dir(path).read_text() == "mine"


@pytest.mark.parametrize(
    "words",
    [
        ("fliegen",),
        ("import",),
        ("train", "a", "b", "c"),
        ("export", "x", "--what", "alles", "--out", "y"),
        ("predict", "x"),
        ("train", "x", "--set", "steps"),
        ("compare", "x", "--split", "morgen"),
    ],
)
def test_words_that_mean_nothing(
    folder: Path, run: Run, words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    code, out, err = run(*words)
    assert code in (1, 2)
    assert out == ""
    assert "Traceback" not in err
    assert "orgseg" in err
    assert list(folder.iterdir()) == []
