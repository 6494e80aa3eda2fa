"""Linked images by command line: import --link, info, relink, embed; and ways of packing."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import tifffile

from orgseg_app.files.project_file import ProjectFile
from tests.pictures import orgseg


@pytest.fixture
def images(tmp_path: Path) -> Path:
    folder = tmp_path / "Bilder ü"
    folder.mkdir()
    for seed, name in enumerate(("a", "b")):
        pixels = np.random.default_rng(seed).integers(0, 4000, (300, 200)).astype(np.uint16)
        tifffile.imwrite(folder / f"{name}.tif", pixels)
    return folder


def run(cwd: Path, *words: object, code: int = 0) -> tuple[str, str]:
    result = orgseg(*words, cwd=cwd)
    assert result.returncode == code, result.stderr
    return result.stdout, result.stderr


def links(cwd: Path) -> dict[str, dict[str, object]]:
    facts = json.loads(run(cwd, "info", "P", "--json")[0])
    return {image["name"]: image["link"] for image in facts["images"]}


def test_link_move_relink_embed(tmp_path: Path, images: Path) -> None:
    work = tmp_path / "work"
    work.mkdir()
    run(work, "new", "P", "--classes", "ER")
    run(work, "import", "P", images, "--link")
    assert (work / "P.orgseg").stat().st_size < 150_000  # 240 kB of voxels stayed where they were
    found = links(work)
    assert {name: link["state"] for name, link in found.items()} == {"a": "found", "b": "found"}
    assert found["a"]["place"] == str(images / "a.tif")
    assert "found" in run(work, "info", "P")[0]

    (tmp_path / "new").mkdir()
    shutil.move(images / "a.tif", tmp_path / "new" / "b.tif")  # called as the other one
    (images / "b.tif").unlink()
    assert {link["state"] for link in links(work).values()} == {"missing"}
    assert "orgseg relink" in run(work, "info", "P")[0]
    _, told = run(work, "relink", "P", tmp_path / "new", code=1)
    assert '1 linked image found; still missing: "b" (b.tif)' in told
    assert "b.tif is called" not in told  # it is the file of "a"
    found = links(work)
    assert {name: link["state"] for name, link in found.items()} == {"a": "found", "b": "missing"}
    assert found["a"]["place"] == str(tmp_path / "new" / "b.tif")
    assert "b.tif” was not found" in run(work, "embed", "P", code=1)[1]

    pixels = np.random.default_rng(1).integers(0, 4000, (300, 200)).astype(np.uint16)
    tifffile.imwrite(tmp_path / "new" / "c.tif", pixels)
    told = json.loads(run(work, "relink", "P", tmp_path / "new" / "c.tif", "--json")[0])
    assert (len(told["found"]), told["missing"], told["linked_images"]) == (1, [], 2)
    assert "Nothing was missing" in run(work, "relink", "P", tmp_path)[0]
    assert "2 linked images copied" in run(work, "embed", "P")[0]
    shutil.rmtree(tmp_path / "new")
    assert links(work) == {"a": None, "b": None}
    with ProjectFile.open(work / "P.orgseg") as file:
        np.testing.assert_array_equal(file.read_image(list(file.project.images)[1])[0, 0], pixels)
    assert "no linked images" in run(work, "relink", "P", work)[0]


@pytest.mark.parametrize("codec", ["compact", "fast"])
def test_ways_of_packing(tmp_path: Path, images: Path, codec: str) -> None:
    run(tmp_path, "new", "P", "--codec", codec)
    run(tmp_path, "import", "P", images / "a.tif")
    run(tmp_path, "import", "P", images / "b.tif", "--codec", "plain")
    with ProjectFile.open(tmp_path / "P.orgseg") as file, file.reading() as inside:
        said = [inside.attrs["codec"], *(g.attrs["codec"] for g in inside["images"].values())]
        named = sorted(text.decode().partition(":")[0] for text in said)
    assert named == sorted([codec, codec, "plain"])
    run(tmp_path, "verify", "P")
    assert "invalid choice" in run(tmp_path, "new", "Q", "--codec", "zip", code=2)[1]
