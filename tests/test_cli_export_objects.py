"""``export --what objects --as …``: what is written, said and refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.pictures import make_project

pytestmark = pytest.mark.usefixtures("one_reading_child")

Run = Callable[..., tuple[int, str, str]]


def test_formats_of_other_programs(run: Run, tmp_path: Path) -> None:
    path = make_project(tmp_path / "p.orgseg", ("train", "test"))
    words = [
        path,
        "--what",
        "objects",
        "--out",
        tmp_path / "o",
        "--as",
        "geojson, coco,mask_folders",
    ]
    code, text, err = run("export", *words)
    assert code == 0
    assert text.startswith('Objects of 2 images written to "')
    assert "QuPath GeoJSON" in text
    assert "2 images have a mask and no objects" in err
    names = {p.name for p in (tmp_path / "o").iterdir()}
    assert names == {"zelle 0.geojson", "zelle 1.geojson", "p_coco.json", "zelle 0", "zelle 1"}
    assert len(json.loads((tmp_path / "o" / "p_coco.json").read_text())["images"]) == 2

    code, text, err = run("export", *words)
    assert (code, text) == (1, "")
    assert "already" in err
    assert "nothing was written" in err
    code, text, _ = run("export", *words[:-1], "geojson", "--overwrite", "--json")
    assert code == 0
    assert [Path(json.loads(line)["written"]).name for line in text.splitlines()] == [
        "zelle 0.geojson",
        "zelle 1.geojson",
    ]


def test_what_is_exported_comes_in_again(run: Run, tmp_path: Path) -> None:
    path = make_project(tmp_path / "p.orgseg", ("train", "test"))
    out = tmp_path / "o"
    assert run("export", path, "--what", "objects", "--out", out, "--as", MASKS)[0] == 0
    run("new", tmp_path / "again")
    code, _, err = run("import", tmp_path / "again", out, "--meaning", "instances")
    assert code == 0, err
    _, text, _ = run("info", tmp_path / "again", "--json")
    _, first, _ = run("export", path, "--what", "objects", "--out", tmp_path / "t", "--json")
    assert len(first.splitlines()) == 2
    images = json.loads(text)["images"]
    assert len(images) == 2
    assert all(image["objects"] > 0 for image in images)


def test_wrong_names_are_refused_before_anything_is_made(run: Run, tmp_path: Path) -> None:
    path = make_project(tmp_path / "p.orgseg", ("train",))
    for asked, words in (("excel", "no format"), ("ilastik", "no format"), (",", "at least one")):
        code, text, err = run(
            "export", path, "--what", "objects", "--out", tmp_path / "o", "--as", asked
        )
        assert (code, text) == (1, "")
        assert words in err
    assert not (tmp_path / "o").exists()


MASKS = "mask-folders"
