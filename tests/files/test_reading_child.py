"""Strangers' images are read by a child: the same pixels, and nothing worse than a sentence."""

from __future__ import annotations

import json
import os
import sys
import threading
from pathlib import Path

import cv2
import numpy as np
import psutil
import pytest
import tifffile

from orgseg_app.core.classes import default_classes
from orgseg_app.files.annotations.label_image import count_planes, read_labels
from orgseg_app.files.annotations.plan import plan_import
from orgseg_app.files.errors import ReadError
from orgseg_app.files.importing import ImportChoice, prepare_import
from orgseg_app.files.project_file import ProjectFile
from orgseg_app.files.readers import apart, registry
from orgseg_app.files.readers.apart import ReadingChild, in_use, reading_apart
from orgseg_app.files.readers.registry import read_header, read_headers, read_images
from orgseg_app.files.safety import child

MEGABYTE = 10**6


def values(shape, dtype="uint8", seed=0):
    data = np.random.default_rng(seed).integers(0, 250, shape)
    return (data > 120) if dtype == "bool" else data.astype(dtype)


def palette():
    return np.random.default_rng(1).integers(0, 2**16, (3, 256)).astype(np.uint16)


# name → (file, how it is written)
PICTURES = {
    "grey": ("a.tif", values((40, 50)), {}),
    "grey 16": ("a.tif", values((40, 50), "uint16"), {}),
    "big-endian": ("a.tif", values((7, 40, 50), "uint16"), {"byteorder": ">"}),
    "stack": ("a.tif", values((9, 40, 50), "uint16"), {"photometric": "minisblack"}),
    "BigTIFF": ("a.tif", values((3, 40, 50)), {"bigtiff": True, "photometric": "minisblack"}),
    "deflated": ("a.tif", values((9, 40, 50)), {"compression": "zlib", "predictor": True}),
    "LZW tiles": ("a.tif", values((3, 90, 80)),
                  {"compression": "lzw", "tile": (16, 32), "photometric": "minisblack"}),
    "float": ("a.tif", values((5, 40, 50), "float32"), {"photometric": "minisblack"}),
    "not a number": ("a.tif", np.where(values((40, 50)) > 99, np.nan, 1).astype("float32"), {}),
    "double": ("a.tif", values((40, 50), "float64"), {}),
    "32 bit": ("a.tif", values((40, 50), "int32"), {}),
    "1 bit": ("a.tif", values((40, 50), "bool"), {}),
    "white is 0": ("a.tif", values((40, 50)), {"photometric": "miniswhite"}),
    "RGB": ("a.tif", values((40, 50, 3)), {"photometric": "rgb"}),
    "grey RGB": ("a.tif", values((40, 50, 1)).repeat(3, 2), {"photometric": "rgb"}),
    "RGBA": ("a.tif", values((40, 50, 4)), {"photometric": "rgb", "extrasamples": ["unassalpha"]}),
    "planar RGB": (
        "a.tif",
        values((3, 40, 50)),
        {"photometric": "rgb", "planarconfig": "separate"},
    ),
    "palette": ("a.tif", values((40, 50)), {"photometric": "palette", "colormap": palette()}),
    "ImageJ": ("a.tif", values((3, 4, 2, 40, 50), "uint16"),
               {"imagej": True, "metadata": {"axes": "TZCYX"}}),
    "OME": ("a.ome.tif", values((2, 3, 40, 50), "uint16"),
            {"metadata": {"axes": "CZYX", "PhysicalSizeX": 0.1, "PhysicalSizeXUnit": "µm",
                          "PhysicalSizeY": 0.1, "PhysicalSizeYUnit": "µm",
                          "Channel": {"Name": ["ER", "nucleus"]}}}),
    "PNG": ("a.png", values((40, 50)), None),
    "PNG 16": ("a.png", values((40, 50), "uint16"), None),
    "colour PNG": ("a.png", values((40, 50, 3)), None),
    "JPEG": ("a.jpg", values((40, 50, 3)), None),
    "BMP": ("a.bmp", values((40, 50, 3)), None),
}  # fmt: skip


def written(folder, name):
    file, data, options = PICTURES[name]
    path = folder / file
    if options is None:
        cv2.imwrite(str(path), data)
    else:
        tifffile.imwrite(path, data, **options)
    return path


def everything(path):
    """All that can be said of an image file, by whoever reads it."""
    images = read_images(path)
    planes = [image.read() for image in images]
    facts = [
        (i.name, i.source, i.shape, i.dtype, i.is_rgb, i.channel_names, i.pixel_size_um, i.notes)
        for i in images
    ]
    return read_header(path), facts, planes


@pytest.mark.parametrize("name", PICTURES)
def test_the_same_as_without_a_child(tmp_path, name):
    path = written(tmp_path, name)
    header, facts, planes = everything(path)
    with reading_apart():
        far_header, far_facts, far_planes = everything(path)
    assert far_header == header
    assert far_facts == facts
    for plane, far in zip(planes, far_planes, strict=True):
        np.testing.assert_array_equal(far, plane)
        assert far.dtype == plane.dtype


@pytest.mark.parametrize("name", ["grey", "stack", "32 bit", "1 bit", "double", "PNG", "PNG 16"])
def test_labels_are_the_same(tmp_path, name):
    path = written(tmp_path, name)
    labels, count = read_labels(path), count_planes(path)
    with reading_apart():
        far = read_labels(path)
        assert count_planes(path) == count == len(labels)
        last = read_labels(path, [count - 1])
    np.testing.assert_array_equal(far, labels)
    assert far.dtype == labels.dtype
    np.testing.assert_array_equal(last, labels[-1:])


@pytest.mark.parametrize("name", ["RGB", "OME", "float", "colour PNG"])
def test_what_is_no_label_image_is_refused_with_the_same_sentence(tmp_path, name):
    path = tmp_path / "a"
    data = np.random.default_rng(0).random((60, 70), np.float32)
    tifffile.imwrite(path, data) if name == "float" else written(tmp_path, name).rename(path)
    with pytest.raises(ReadError) as here:
        read_labels(path)
    with reading_apart(), pytest.raises(ReadError) as there:
        read_labels(path)
    assert str(there.value) == str(here.value)


def test_many_headers_at_once(tmp_path):
    paths = [tmp_path / f"{n}.png" for n in range(150)]
    for number, path in enumerate(paths):
        if number % 7:
            cv2.imwrite(str(path), values((10, 10 + number)))
    here = read_headers(paths)
    with reading_apart():
        there = read_headers(paths)
        assert read_headers([]) == []
    assert [str(h) for h in there] == [str(h) for h in here]
    assert sum(isinstance(h, ReadError) for h in there) == 22


def test_odd_paths(tmp_path, monkeypatch):
    folder = tmp_path / "Ordner „ä“ #1 %20\u2028 內"
    folder.mkdir()
    written(folder, "grey")
    monkeypatch.chdir(folder)
    names = [Path("a.tif"), folder / "a.tif"]
    try:
        odd = Path(os.fsdecode(os.fsencode(folder) + b"/\xff.tif"))
        odd.write_bytes((folder / "a.tif").read_bytes())
        names.append(odd)
    except OSError:
        pass  # this file system wants UTF-8
    with reading_apart():
        for path in names:
            assert read_images(path)[0].read().shape == (1, 1, 40, 50)
        for wrong in (Path("a\0b.tif"), folder, Path("gone.tif"), Path("x" * 300)):
            with pytest.raises(ReadError) as there:
                read_images(wrong)
            with ReadingChild() as reading, pytest.raises(ReadError) as again:
                reading.images(wrong)
            assert str(there.value) == str(again.value)


def test_uncompressed_planes_are_read_here(tmp_path, monkeypatch):
    """They cost no copy through a pipe, and they must still be checked."""
    path = written(tmp_path, "stack")
    with reading_apart() as reading:
        image = read_images(path)[0]
        monkeypatch.setattr(reading, "fill", None)  # nothing comes through the pipe
        np.testing.assert_array_equal(image.read()[0], PICTURES["stack"][1])
        path.write_bytes(path.read_bytes()[:20_000])  # in the middle of plane 5
        with pytest.raises(ReadError, match="incomplete|changed"):
            image.read_plane(8)


def test_a_file_that_changes_between_opening_and_reading(tmp_path):
    for name in ("stack", "deflated", "PNG"):
        path = written(tmp_path, name)
        with reading_apart():
            image = read_images(path)[0]
            smaller = values((1, 20, 20))
            if path.suffix == ".png":
                cv2.imwrite(str(path), smaller[0])
            else:
                tifffile.imwrite(path, smaller, compression="zlib")
            with pytest.raises(ReadError, match="has changed since it was opened"):
                image.read_plane(0)
            path.unlink()
            with pytest.raises(ReadError, match="does not exist"):
                image.read_plane(0)
            with pytest.raises(IndexError):
                image.read_plane(image.shape[1])
        assert written(tmp_path, name) == path


# -- sessions --------------------------------------------------------------------------------------


def test_one_child_serves_a_session_and_ends_with_it(tmp_path):
    paths = [written(tmp_path, name) for name in ("grey", "PNG", "JPEG")]
    with reading_apart() as reading:
        assert reading.pid is None  # nothing was asked yet
        pids = set()
        for path in paths:
            read_images(path)[0].read()
            pids.add(reading.pid)
        with reading_apart() as inner:
            assert inner is reading
        assert in_use() is reading
        assert len(pids) == 1
    assert in_use() is None
    assert not psutil.pid_exists(pids.pop())


def test_other_threads_read_directly(tmp_path):
    seen = []
    with reading_apart():
        thread = threading.Thread(target=lambda: seen.append(in_use()))
        thread.start()
        thread.join()
    assert seen == [None]


def test_planes_still_come_after_the_session(tmp_path):
    path = written(tmp_path, "deflated")
    with reading_apart():
        image = read_images(path)[0]
    before = psutil.Process().children()
    np.testing.assert_array_equal(image.read()[0], PICTURES["deflated"][1])
    assert psutil.Process().children() == before


def test_threads_share_a_child(tmp_path):
    paths = []
    for number, name in enumerate(("deflated", "LZW tiles", "stack", "grey")):
        paths.append(written(tmp_path, name).rename(tmp_path / f"{number}.tif"))
    wrong = []
    with ReadingChild() as reading:

        def work(path):
            expected = read_images(path)[0].read()
            for _ in range(10):
                if not np.array_equal(reading.images(path)[0].read(), expected):
                    wrong.append(path)

        threads = [threading.Thread(target=work, args=(path,)) for path in paths]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert wrong == []


def test_an_interruption_leaves_the_child_usable(tmp_path, monkeypatch):
    path = written(tmp_path, "deflated")
    with reading_apart() as reading:
        image = read_images(path)[0]
        real = reading.fill
        monkeypatch.setattr(reading, "fill", lambda array: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            image.read_plane(0)
        monkeypatch.setattr(reading, "fill", real)
        np.testing.assert_array_equal(image.read()[0], PICTURES["deflated"][1])


# -- children that do not come back ----------------------------------------------------------------


@pytest.fixture
def wild(monkeypatch):
    """Let the child do something else with files called “bad”: the body of a function of a path."""

    def let(what):
        code = (
            "import os, sys, time\n"
            "from pathlib import Path\n"
            "from orgseg_app.files.safety import reading_child\n"
            "from orgseg_app.files.errors import ReadError\n"
            "real = reading_child.sniff\n"
            "def bad(path):\n"
            f"    {what}\n"
            "def sniff(path):\n"
            "    if 'bad' in Path(path).name: bad(path)\n"
            "    return real(path)\n"
            "reading_child.sniff = sniff\n"
            "reading_child.run_reader()\n"
        )
        monkeypatch.setattr(child, "program_command", lambda *_: [sys.executable, "-c", code])

    return let


@pytest.fixture
def three(tmp_path):
    paths = [tmp_path / name for name in ("a.tif", "bad.tif", "c.tif")]
    for path in paths:
        tifffile.imwrite(path, values((40, 50)), compression="zlib")
    return paths


def outcome(path):
    """None for a file that is read, else the sentence."""
    try:
        read_images(path)[0].read()
    except ReadError as error:
        assert str(error).endswith(".")
        assert "\n" not in str(error)
        return str(error)
    return None


@pytest.mark.parametrize("what", ["os.abort()", "os._exit(0)", "os.kill(os.getpid(), 11)"])
def test_the_file_that_ends_the_child_is_blamed_and_no_other(three, wild, what):
    wild(what)
    with reading_apart():
        said = [outcome(path) for path in three]
        headers = read_headers(three * 2)
    assert said[0] is None
    assert said[2] is None
    assert "“bad.tif” could not be read: the process that read it broke off" in said[1]
    assert [isinstance(h, ReadError) for h in headers] == [False, True, False] * 2


def test_a_file_over_which_the_child_hangs(three, wild, monkeypatch):
    monkeypatch.setattr(apart, "_CPU_S", 0.5)
    monkeypatch.setattr(apart, "_WALL_S", 0.5)
    for what in ("while True: pass", "time.sleep(1000)"):
        wild(what)
        with reading_apart():
            said = [outcome(path) for path in three]
        assert said[0] is said[2] is None
        assert "longer than" in said[1] or "too long" in said[1]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits memory from within")
def test_a_file_that_takes_all_memory_is_stopped_from_within(three, wild, monkeypatch):
    monkeypatch.setattr(child, "_taken", lambda pid: (0, 0.0))  # nobody watches
    wild("reading_child.limit_memory(2**28); x = [bytearray(2**24) for _ in range(100)]")
    with reading_apart() as reading:
        said = [outcome(path) for path in three]
        assert reading.pid is not None  # it survived
    assert said[0] is said[2] is None
    assert "too large for the memory" in said[1]


def test_a_file_that_takes_all_memory_is_stopped_from_outside(three, wild):
    wild("x = [bytearray(2**24) for _ in range(100)]; time.sleep(100)")
    with reading_apart():
        said = [outcome(path) for path in three]
    assert said[0] is said[2] is None
    assert "MB of memory" in said[1] or "too large for the memory" in said[1]


LIES = [
    {"images": []},
    {"images": [{}]},
    {"images": 7},
    {"images": [{"shape": [1, 1, 40, 0]}]},
    {"header": {}},
    {"planes": 10**12},
    {"planes": "many"},
    {"shape": [1, 10**9, 10**9], "dtype": "uint8", "notes": []},
    {"raw": {"offsets": [0], "dtype": "O", "part_shape": [1, 40, 50]}},
    {"raw": {"offsets": [-5], "dtype": "|u1", "part_shape": [1, 40, 50]}},
    {"raw": {"offsets": [10**12], "dtype": "|u1", "part_shape": [1, 40, 50]}},
    {"dtype": "O", "shape": [40, 50]},
    {"error": ["x"] * 1000},
    {"needs": "all", "cpu_s": 1},
    {"needs": 10**18, "cpu_s": "x"},
    [1, 2],
]


@pytest.mark.parametrize("lie", LIES)
def test_a_child_that_was_taken_over_cannot_lie(tmp_path, monkeypatch, lie):
    """It answers with sense until the file is open, and then only with the lie."""
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, values((40, 50)), compression="zlib")
    code = (
        "import json, sys\n"
        "from orgseg_app.files.safety import reading_child\n"
        f"lie = json.loads({json.dumps(json.dumps(lie))})\n"
        "real = reading_child.Pipes.answer\n"
        "def answer(self, answer, raw=None):\n"
        "    if 'images' in answer and '--honest' in sys.argv: return real(self, answer, raw)\n"
        "    real(self, lie)\n"
        "reading_child.Pipes.answer = answer\n"
        "reading_child.run_reader()\n"
    )
    for honesty in ([], ["--honest"]):
        command = [sys.executable, "-c", code, *honesty]
        monkeypatch.setattr(child, "program_command", lambda *_, command=command: command)
        monkeypatch.setattr(apart, "_WALL_S", 2.0)
        monkeypatch.setattr(apart, "_CPU_S", 1.0)
        with reading_apart():
            assert outcome(path) is not None
            if not honesty:
                for ask in (read_header, read_labels, count_planes):
                    with pytest.raises(ReadError):
                        ask(path)


def test_a_child_that_cannot_start_blames_no_file(three, monkeypatch):
    monkeypatch.setattr(child, "program_command", lambda *_: ["/no/such/program"])
    with reading_apart() as reading:
        reading.start()
        said = [outcome(path) for path in three]
    assert all("did not let one start" in sentence for sentence in said)
    assert not any("harm" in sentence for sentence in said)


# -- importing -------------------------------------------------------------------------------------


@pytest.fixture
def import_folder(tmp_path):
    folder = tmp_path / "data"
    (folder / "images").mkdir(parents=True)
    (folder / "masks").mkdir()
    for name in "abc":
        tifffile.imwrite(folder / f"images/{name}.tif", values((40, 50), seed=ord(name)))
        cv2.imwrite(str(folder / f"masks/{name}.png"), values((40, 50)) // 200)
    return folder


def imported(folder, project):
    plan = plan_import([folder])
    with ProjectFile.create(project, default_classes(["ER"])) as file:
        intake = prepare_import(plan, ImportChoice(), file.project.classes)
        added = file.add_images(intake.images(), on_error=lambda *_: None)
        masks = [bool(file.counts(image.image_id)) for image in added]
        pixels = {i.name: file.read_image(i.image_id) for i in added}
    return added, masks, pixels, intake.problems


def test_importing_reads_nothing_in_this_process(import_folder, tmp_path, monkeypatch):
    """Window and command line both import by a plan and an intake."""

    def here(*_, **__):
        raise AssertionError("a stranger's file was decoded in this process")

    for family in registry.READERS:
        monkeypatch.setitem(registry.READERS, family, here)
        monkeypatch.setitem(registry.HEADERS, family, here)
    monkeypatch.setattr(cv2, "imdecode", here)
    monkeypatch.setattr(tifffile, "TiffFile", here)
    added, masks, pixels, problems = imported(import_folder, tmp_path / "p.orgseg")
    assert [image.name for image in added] == ["a", "b", "c"]
    assert masks == [True] * 3
    assert problems == []
    np.testing.assert_array_equal(pixels["b"][0, 0], values((40, 50), seed=ord("b")))


def test_an_import_goes_on_past_files_that_end_the_child(import_folder, tmp_path, wild):
    images = import_folder / "images"
    (images / "b.tif").rename(images / "bad.tif")
    (import_folder / "masks/b.png").rename(import_folder / "masks/bad.png")
    plan = plan_import([import_folder])
    wild("os.abort()")
    with ProjectFile.create(tmp_path / "p.orgseg", default_classes(["ER"])) as file:
        intake = prepare_import(plan, ImportChoice(), file.project.classes)
        added = file.add_images(intake.images())
    assert [image.name for image in added] == ["a", "c"]
    assert any("“bad.tif” could not be read" in text for text in intake.problems)
    plan = plan_import([import_folder])  # the same in planning
    assert [item.is_readable for item in plan.items] == [True, False, True]


def test_a_mask_that_ends_the_child_leaves_its_image(import_folder, tmp_path, wild):
    plan = plan_import([import_folder])
    (import_folder / "masks/b.png").rename(import_folder / "masks/bad.png")
    item = plan.items[1]
    item.annotation = type(item.annotation)(
        item.annotation.format, (import_folder / "masks/bad.png",), meaning="binary"
    )
    wild("os.abort()")
    with ProjectFile.create(tmp_path / "p.orgseg", default_classes(["ER"])) as file:
        intake = prepare_import(plan, ImportChoice(), file.project.classes)
        added = file.add_images(intake.images())
        masks = [bool(file.counts(image.image_id)) for image in added]
    assert masks == [True, False, True]
    assert any("imported without a mask" in text for text in intake.problems)


def test_a_cancelled_import_leaves_no_child(import_folder, tmp_path):
    plan = plan_import([import_folder])
    with ProjectFile.create(tmp_path / "p.orgseg", default_classes(["ER"])) as file:
        intake = prepare_import(plan, ImportChoice(), file.project.classes)
        images = intake.images()
        next(images)
        assert psutil.Process().children()
        images.close()
        assert in_use() is None
        assert not [c for c in psutil.Process().children() if c.status() != "zombie"]
