"""Augmented copies on disk: read back, they are what was meant, and nothing is overwritten."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from orgseg_app.core.augmentation.published import guises
from orgseg_app.core.classes import default_classes
from orgseg_app.files.annotations.plan import plan_import
from orgseg_app.files.augmented import AnnotatedPicture, export_augmented
from orgseg_app.files.export import ExportError
from orgseg_app.files.readers.registry import read_images

CLASSES = default_classes(["ER"])


def picture(name: str = "cell", **changes: object) -> AnnotatedPicture:
    random = np.random.default_rng(0)
    pixels = random.integers(0, 60000, (1, 1, 24, 36)).astype(np.uint16)
    mask = (pixels[0] > 30000).astype(np.uint8) + 1
    mask[:, :2] = 0
    fields: dict[str, object] = {"name": name, "pixels": pixels, "mask": mask}
    fields["pixel_size_um"] = (1.0, 0.1, 0.2)
    return AnnotatedPicture(**(fields | changes))  # type: ignore[arg-type]


def read(path: Path) -> np.ndarray:
    (image,) = read_images(path)
    return np.asarray(image.read())


def test_eight_copies_read_back_exactly(tmp_path: Path) -> None:
    source = picture(objects=np.arange(864, dtype=np.uint32).reshape(1, 24, 36))
    out = tmp_path / "out"
    done = export_augmented([source], CLASSES, out, times=8)
    assert (done.pictures, done.copies) == (1, 8)
    assert done.unlabelled == pytest.approx(2 / 24)
    assert source.objects is not None
    for guise in guises(8):
        name = guise.pattern.format("cell")
        pixels = read(out / "images" / f"{name}.tif")
        assert pixels.dtype == np.uint16
        assert np.array_equal(pixels, guise.turn.apply(source.pixels))
        labels = read(out / "masks" / f"{name}.tif")[0]
        assert np.array_equal(labels == 1, guise.turn.apply(source.mask) == 2)
        numbers = read(out / "objects" / f"{name}.tif")[0]
        assert np.array_equal(numbers, guise.turn.apply(source.objects))
    (turned,) = read_images(out / "images" / "cell_90.tif")
    assert turned.pixel_size_um is not None
    assert turned.pixel_size_um[1:] == pytest.approx((0.2, 0.1))
    lines = (out / "list.txt").read_text().splitlines()[1:]
    assert [line.split("\t")[:2] for line in lines][1] == [
        "images/cell_90.tif",
        "masks/cell_90.tif",
    ]
    assert len(lines) == 8
    assert all((out / part).is_file() for line in lines for part in line.split("\t")[:2])


@pytest.mark.parametrize("form", ["tiff", "png"])
def test_twelve_copies_come_again_and_can_be_imported(tmp_path: Path, form: str) -> None:
    for folder in ("a", "b"):
        export_augmented([picture()], CLASSES, tmp_path / folder, times=12, seed=4, format=form)
    export_augmented([picture()], CLASSES, tmp_path / "c", times=12, seed=5, format=form)
    suffix = {"tiff": ".tif", "png": ".png"}[form]
    for number in range(1, 13):
        name = Path("images") / f"cell_{number}{suffix}"
        first = read(tmp_path / "a" / name)
        assert np.array_equal(first, read(tmp_path / "b" / name))
        assert np.array_equal(first, read(tmp_path / "c" / name)) == (number <= 8)
    (tmp_path / "a" / "list.txt").unlink()
    plan = plan_import([tmp_path / "a"])
    assert len(plan.items) == 12
    assert all(item.annotation is not None for item in plan.items)


def test_stacks_and_colours_keep_their_axes(tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    stack = picture(
        "stack",
        pixels=random.integers(0, 255, (2, 3, 20, 20)).astype(np.uint8),
        mask=np.ones((3, 20, 20), np.uint8),
    )
    colour = picture(
        "colour",
        pixels=random.integers(0, 255, (3, 1, 20, 20)).astype(np.uint8),
        mask=np.ones((1, 20, 20), np.uint8),
        is_rgb=True,
    )
    export_augmented([stack, colour], CLASSES, tmp_path / "t", times=8)
    for source in (stack, colour):
        found = read(tmp_path / "t" / "images" / f"flip_{source.name}.tif")
        assert np.array_equal(found, source.pixels[..., ::-1])
    export_augmented([colour], CLASSES, tmp_path / "p", times=8, format="png")
    assert np.array_equal(read(tmp_path / "p" / "images" / "colour.png"), colour.pixels)
    with pytest.raises(ExportError, match=r"does not go into a PNG.*Choose TIFF"):
        export_augmented([stack], CLASSES, tmp_path / "q", times=8, format="png")


def test_names_never_meet(tmp_path: Path) -> None:
    same = [picture("x"), picture("x_90"), picture("X"), picture("../x")]
    done = export_augmented(same, CLASSES, tmp_path / "out", times=8)
    images = [f for f in done.files if f.parent.name == "images"]
    assert len({f.name.casefold() for f in images}) == len(images) == 32
    assert {f.parent.parent for f in images} == {tmp_path / "out"}


def test_nothing_is_overwritten_and_nothing_is_written_for_nothing(tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_text("mine")
    with pytest.raises(ExportError, match="files in .* already"):
        export_augmented([picture()], CLASSES, tmp_path, times=8)
    assert [p.name for p in tmp_path.iterdir()] == ["note.txt"]
    with pytest.raises(ExportError, match="is a file"):
        export_augmented([picture()], CLASSES, tmp_path / "note.txt", times=8)
    with pytest.raises(ExportError, match="No image has paint"):
        export_augmented([], CLASSES, tmp_path / "out", times=8)
    assert not (tmp_path / "out").exists()
