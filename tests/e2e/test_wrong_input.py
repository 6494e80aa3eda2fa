"""Wrong files, dropped on the real window: one clear sentence, nothing lost, and it goes on."""

from __future__ import annotations

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
from PySide6.QtGui import Qt
from PySide6.QtWidgets import QLabel, QWidget

from orgseg_app.core.classes import ClassInfo, background
from orgseg_app.files.project_file import ProjectFile
from tests.e2e.hand import Hand, check_sentence, make_project

pytestmark = pytest.mark.timeout(120)


def picture(path: Path, side: int = 48) -> Path:
    """A good 16-bit image."""
    values = np.random.default_rng(1).integers(0, 4000, (side, side)).astype(np.uint16)
    tifffile.imwrite(path, values)
    return path


# Files that are no images


def text_file(path: Path) -> None:
    path.write_text("Liebes Tagebuch, heute habe ich Zellen gesehen.\n" * 20, "utf-8")


def truncated(path: Path) -> None:
    picture(path)
    path.write_bytes(path.read_bytes()[:3000])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def garbage(path: Path) -> None:
    path.write_bytes(np.random.default_rng(0).bytes(5000))


BROKEN = [text_file, truncated, empty, garbage]


@pytest.mark.parametrize("make", BROKEN)
def test_a_broken_file_on_an_open_project(hand: Hand, folder: Path, make: object) -> None:
    project = make_project(folder / "Projekt ü.orgseg")
    hand.open(project)
    hand.said.clear()
    path = folder / "kein Bild ß.tif"
    make(path)  # type: ignore[operator]
    hand.drop_and_settle(path)
    hand.heard("warning", "kein Bild ß.tif")
    assert len(hand.images) == 3
    hand.goes_on()


@pytest.mark.parametrize("make", BROKEN)
def test_a_broken_file_on_the_start_page_leaves_nothing_behind(
    hand: Hand, folder: Path, make: object
) -> None:
    path = folder / "kein Bild ß.tif"
    make(path)  # type: ignore[operator]
    before = path.read_bytes()
    hand.drop_and_settle(path)
    hand.heard("warning", "kein Bild ß.tif")
    assert hand.session.project is None
    assert [p.name for p in folder.iterdir()] == [path.name]
    assert path.read_bytes() == before
    hand.drop_and_settle(picture(folder / "gut ü.tif"))
    hand.quiet()
    hand.goes_on()


def test_broken_files_among_good_ones(hand: Hand, folder: Path) -> None:
    for number in range(3):
        picture(folder / f"gut {number}.tif")
    for number, make in enumerate(BROKEN):
        make(folder / f"schlecht {number}.tif")
    hand.drop_and_settle(folder)
    hand.heard("warning", "3 images imported", "schlecht")
    assert [image.name for image in hand.images] == ["gut 0", "gut 1", "gut 2"]
    hand.goes_on()


def test_folders_without_images(hand: Hand, folder: Path) -> None:
    nothing = folder / "leer ø"
    nothing.mkdir()
    hand.drop_and_settle(nothing)
    hand.heard("error", "There is no TIFF, PNG, JPEG or BMP image, no HDF5", "leer ø")
    assert hand.session.project is None
    (nothing / "Notizen.docx").write_bytes(b"PK")
    hand.drop_and_settle(nothing)
    hand.heard("error", "other file")
    hand.drop_and_settle(folder / "gibt es nicht.tif")
    hand.heard("error", "gibt es nicht.tif")
    assert list(folder.iterdir()) == [nothing]


def test_a_mask_of_another_size(hand: Hand, folder: Path) -> None:
    picture(folder / "zelle ü 1.tif")
    picture(folder / "zelle ü 2.tif")
    tifffile.imwrite(folder / "zelle ü 1_mask.tif", np.full((48, 48), 255, np.uint8))
    tifffile.imwrite(folder / "zelle ü 2_mask.tif", np.full((20, 32), 255, np.uint8))
    hand.drop_and_settle(folder)
    hand.heard("warning", "2 images imported", "zelle ü 2_mask.tif", "32 × 20", "48 × 48")
    painted = {image.name: not hand.session.mask(image.image_id).is_empty for image in hand.images}
    assert painted == {"zelle ü 1": True, "zelle ü 2": False}
    hand.goes_on()


def test_a_mask_that_is_no_picture(hand: Hand, folder: Path) -> None:
    picture(folder / "zelle ü.tif")
    text_file(folder / "zelle ü_mask.tif")
    hand.drop_and_settle(folder)
    hand.heard("warning", "1 image imported", "zelle ü_mask.tif")
    assert hand.session.mask().is_empty
    hand.goes_on()


@pytest.mark.parametrize("with_masks", [False, True])
def test_a_folder_that_vanishes_between_look_and_import(
    hand: Hand, folder: Path, with_masks: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = make_project(folder / "Projekt ü.orgseg")
    hand.open(project)
    source = folder / "USB Stick ü"
    source.mkdir()
    for name in ("zelle 0", "zelle eins", "zelle zwo"):  # three numbers would be asked about
        picture(source / f"{name}.tif")
        if with_masks:
            tifffile.imwrite(source / f"{name}_mask.tif", np.ones((48, 48), np.uint8))
    importing = hand.window.commands.importing
    hand.said.clear()
    if with_masks:
        hand.drop(source)
        hand.rest()
        hand.settle()
        assert importing.bar is not None
        shutil.rmtree(source)
        importing.bar.use_button.click()
    else:
        accept = importing.accept

        def later(*arguments: object) -> None:
            shutil.rmtree(source)
            accept(*arguments)

        monkeypatch.setattr(importing, "accept", later)
        hand.drop(source)
        hand.rest()
    hand.settle()
    hand.heard("warning", "zelle 0.tif")
    assert len(hand.images) == 3
    hand.goes_on()


# Files that are no projects


def not_hdf5(path: Path) -> None:
    path.write_text("Dies ist kein Projekt.", "utf-8")


def another_hdf5(path: Path) -> None:
    import h5py

    with h5py.File(path, "w") as file:
        file["t0/channel0"] = np.zeros((4, 4))


def cut_in_half(path: Path) -> None:
    make_project(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def zeroed_in_the_middle(path: Path) -> None:
    make_project(path)
    data = bytearray(path.read_bytes())
    data[4000:6400] = bytes(2400)
    path.write_bytes(data)


@pytest.mark.parametrize("make", [not_hdf5, another_hdf5, empty, cut_in_half, zeroed_in_the_middle])
def test_a_project_file_that_is_none(hand: Hand, folder: Path, make: object) -> None:
    good = make_project(folder / "gut ü.orgseg")
    hand.open(good)
    hand.stroke()
    hand.said.clear()
    bad = folder / "kaputt ß.orgseg"
    make(bad)  # type: ignore[operator]
    before = bad.read_bytes()
    hand.drop(bad)
    hand.rest(0.2)
    hand.settle()
    hand.heard("error", "kaputt ß.orgseg")
    assert hand.session.path == good
    assert bad.read_bytes() == before
    assert str(bad) not in hand.window.settings.recent_projects
    assert not bad.with_name(bad.name + ".lock").exists()
    hand.goes_on()


def test_a_project_that_is_not_there_any_more(hand: Hand, folder: Path) -> None:
    path = make_project(folder / "weg ü.orgseg")
    path.unlink()
    hand.window.commands.open_path(path)
    hand.heard("error", "weg ü.orgseg")
    hand.drop_and_settle(path)
    hand.heard("error", "weg ü.orgseg")
    assert hand.session.project is None
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("layer", ["mask", "pixels"])
def test_one_damaged_image_in_a_project(hand: Hand, folder: Path, layer: str) -> None:
    """Bit rot: the damage is named, the other images are worked on as ever."""
    import h5py

    path = make_project(folder / "faul ü.orgseg")
    with h5py.File(path, "r") as file:
        first, place = next(
            (group, group[layer].id.get_chunk_info(0))
            for group in file["images"].values()
            if group.attrs["order"] == min(g.attrs["order"] for g in file["images"].values())
        )
        assert first is not None
    data = bytearray(path.read_bytes())
    for offset in range(0, place.size, 7):
        data[place.byte_offset + offset] ^= 0x55
    path.write_bytes(data)
    hand.open(path)
    banner = hand.window.backing_up.damage
    hand.wait(banner.isVisible)
    assert "zelle ü 0" in banner.title.text()
    check_sentence(f"{banner.title.text()} {banner.words.text()}")
    assert "Everything else can be used." in banner.words.text()
    hand.quiet()
    hand.session.select_neighbour(1)
    hand.rest(0.3)
    hand.quiet()
    hand.window.show_workspace("annotate")
    before = hand.session.mask().to_array()
    hand.stroke()
    assert (hand.session.mask().to_array() != before).any()
    hand.save()


# Images of odd shapes


def odd(path: Path, kind: str) -> None:
    """An image as nobody expects it."""
    random = np.random.default_rng(0)
    if kind == "one voxel":
        tifffile.imwrite(path, np.array([[7]], np.uint16))
    elif kind == "one row":
        tifffile.imwrite(path, random.integers(0, 255, (1, 300)).astype(np.uint8))
    elif kind == "rgb":
        pixels = random.integers(0, 255, (40, 60, 3)).astype(np.uint8)
        tifffile.imwrite(path, pixels, photometric="rgb")
    elif kind == "16 bit, all equal":
        tifffile.imwrite(path, np.full((40, 60), 65535, np.uint16))
    elif kind == "float with NaN":
        pixels = random.normal(0, 1e30, (40, 60)).astype(np.float32)
        pixels[::3], pixels[1, 1], pixels[1, 2] = np.nan, np.inf, -np.inf
        tifffile.imwrite(path, pixels)
    elif kind == "only NaN":
        tifffile.imwrite(path, np.full((40, 60), np.nan, np.float32))
    elif kind == "five planes":
        pixels = random.integers(0, 4000, (5, 40, 60)).astype(np.uint16)
        tifffile.imwrite(path, pixels, imagej=True, metadata={"axes": "ZYX"})
    elif kind == "20000 x 3":
        tifffile.imwrite(path, random.integers(0, 4000, (3, 20000)).astype(np.uint16))
    elif kind == "3 x 20000":
        tifffile.imwrite(path, random.integers(0, 4000, (20000, 3)).astype(np.uint16))


@pytest.mark.parametrize(
    "kind",
    [
        "one voxel",
        "one row",
        "rgb",
        "16 bit, all equal",
        "float with NaN",
        "only NaN",
        "five planes",
        "20000 x 3",
        "3 x 20000",
    ],
)
def test_images_of_every_shape(hand: Hand, folder: Path, kind: str) -> None:
    path = folder / f"{kind} ü.tif"
    odd(path, kind)
    hand.drop_and_settle(path)
    hand.quiet()
    assert len(hand.images) == 1
    for workspace in ("annotate", "train", "compare", "export", "annotate"):
        hand.window.show_workspace(workspace)
        hand.rest(0.05)
    for action in ("zoom_full", "zoom_in", "zoom_out", "next_plane", "auto_contrast", "zoom_fit"):
        hand.action(action)
    hand.goes_on()
    hand.action("fill_background")
    hand.action("undo")
    hand.action("undo")
    assert hand.session.mask().is_empty
    hand.quiet()


# Classes


NAMES = ("<b>x</b>", "🧬 Kern", "نواة الخلية", "=1+1", 'a "b" & c <img src=x>', "ER" * 100)


def test_class_names_are_plain_text(hand: Hand, folder: Path) -> None:
    path = make_project(folder / "<i>Projekt & ü.orgseg")
    hand.open(path)
    for name in NAMES:
        hand.session.add_class(name)
    hand.session.rename_project("<h1>groß</h1>")
    hand.session.rename_image(hand.images[0].image_id, "<b>fett</b> 🔬")
    for workspace in ("train", "compare", "export", "annotate"):
        hand.window.show_workspace(workspace)
        hand.rest(0.1)
    hand.session.report_error(ValueError("The class <b>x</b> is odd."))
    hand.said.clear()
    rich = [
        label.text()
        for label in hand.window.findChildren(QLabel)
        if label.textFormat() != Qt.TextFormat.PlainText and "<" in label.text()
    ]
    assert rich == []
    tips = [
        (type(widget).__name__, widget.toolTip())
        for widget in hand.window.findChildren(QWidget)
        if Qt.mightBeRichText(widget.toolTip())
        and any(name in widget.toolTip() for name in ("<b>", "<h1>", "<img"))
    ]
    assert tips == []
    hand.goes_on()
    assert [c.name for c in hand.session.classes][2:] == list(NAMES)


def test_as_many_classes_as_there_are_numbers(hand: Hand, folder: Path) -> None:
    path = folder / "viele Klassen ü.orgseg"
    classes = [background(), *(ClassInfo(i, f"klasse {i}", "#336699") for i in range(2, 256))]
    ProjectFile.create(path, classes).close()
    hand.open(path)
    hand.drop_and_settle(picture(folder / "bild.tif"))
    hand.quiet()
    assert len(hand.session.classes) == 255
    hand.action("new_class")
    hand.heard("error", "class")
    assert len(hand.session.classes) == 255
    hand.session.select_class(255)
    hand.goes_on()


def test_a_mask_with_more_values_than_classes(hand: Hand, folder: Path) -> None:
    picture(folder / "zelle ü.tif", 64)
    values = np.arange(64 * 64).reshape(64, 64).astype(np.uint16) % 400
    tifffile.imwrite(folder / "zelle ü_label.tif", values)
    hand.drop(folder)
    hand.rest()
    hand.settle()
    bar = hand.window.commands.importing.bar
    assert bar is not None
    index = bar.meaning.findData("classes")
    bar.meaning.setCurrentIndex(index)
    bar.use_button.click()
    hand.settle()
    assert len(hand.said) == 1
    hand.said.clear()
    if hand.session.image is not None:
        hand.goes_on()


def test_palette_and_colour_masks(hand: Hand, folder: Path) -> None:
    picture(folder / "zelle ü.tif")
    colours = np.random.default_rng(0).integers(0, 255, (48, 48, 3)).astype(np.uint8)
    cv2.imencode(".png", colours)[1].tofile(folder / "zelle ü_mask.png")
    hand.drop_and_settle(folder)
    text = hand.heard("warning", "1 image imported")
    assert "zelle ü" in text
    hand.goes_on()
