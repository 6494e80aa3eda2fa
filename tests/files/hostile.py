"""Files made to do harm: projects that reach outside, arrays larger than any disk, bombs.

Each maker writes one file at the path it is given. What a project reaches out for is the canary
beside it: a file that nobody may read or change.
"""

from __future__ import annotations

import functools
import hashlib
import itertools
import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
import tifffile

from orgseg_app.core.classes import default_classes
from orgseg_app.core.project import Project
from orgseg_app.files import schema
from orgseg_app.files.images.intake import NewImage, store_image
from orgseg_app.files.store.draft import drafting
from tests.files.projects import picture

CANARY = b"a canary that nobody may touch. " * 200


def canary_of(path: Path) -> Path:
    """The file beside a hostile one that it tries to reach."""
    return path.with_name("canary.bin")


def place_canary(folder: Path) -> Path:
    canary = folder / "canary.bin"
    canary.write_bytes(CANARY)
    return canary


def contents(folder: Path) -> dict[str, str]:
    """What lies in a folder: the name of each file, and a hash of what it holds."""
    found = {}
    for path in folder.iterdir():
        if path.is_file():
            with path.open("rb") as stream:
                found[path.name] = hashlib.file_digest(stream, "blake2b").hexdigest()
    forget_reading(folder)
    return found


# Reading a file moves its time of access on, where the file system notes that (``relatime`` does
# when the time is older than that of the last change).


def forget_reading(folder: Path) -> None:
    """From now on, reading one of the files that are reached for shows in its time."""
    for path in (folder / "canary.bin", folder / "other.h5"):
        if path.exists():
            os.utime(path, (0, path.stat().st_mtime))


def was_read(path: Path) -> bool:
    """Whether somebody has read a file; where the file system does not note it, the test skips."""
    probe = path.with_name("probe")
    probe.write_bytes(b"x")
    os.utime(probe, (0, probe.stat().st_mtime))
    probe.read_bytes()
    noted = probe.stat().st_atime != 0
    probe.unlink()
    if not noted:
        pytest.skip("this file system does not note who reads")
    return path.stat().st_atime != 0


def is_whole(folder: Path) -> bool:
    """Whether the canary is as it was; reading it here is forgotten."""
    same = (folder / "canary.bin").read_bytes() == CANARY
    forget_reading(folder)
    return same


# -- projects ------------------------------------------------------------------------------------


def sound_project(path: Path) -> None:
    """A small project that this computer does not know: written, but not by `ProjectFile`."""
    project = Project("0" * 32, "p", default_classes(["ER"]), {})
    with drafting(path) as draft:
        schema.write_root(draft.file, project, schema.PROJECT)
        for n in range(2):
            item = NewImage(picture(f"cell {n}", seed=n))
            store_image(draft.file["images"], item, f"cell {n}", n, draft.check)


def _spoil(path: Path, change: Callable, *, libver=schema.LIBVER) -> None:
    sound_project(path)
    with h5py.File(path, "r+", libver=libver) as file:
        change(file, next(iter(file["images"].values())))


def swap(group, name, *arguments, **fields):
    group.pop(name, None)
    return group.create_dataset(name, *arguments, **fields)


def place(group, name, link):
    group.pop(name, None)
    group[name] = link


def external_storage(path, layer="pixels"):
    parts = [(str(canary_of(path)), 0, 4800)]
    shape = (1, 1, 60, 80) if layer == "pixels" else (1, 60, 80)
    _spoil(path, lambda f, g: swap(g, layer, shape, "u1", external=parts))


def external_storage_of_a_mask(path):
    external_storage(path, "mask")


def external_storage_further_down(path):
    parts = [(str(canary_of(path)), 0, 4800)]
    _spoil(path, lambda f, g: f.create_dataset("a/b/c", (4800,), "u1", external=parts))


def _other_file(path):
    other = path.with_name("other.h5")
    with h5py.File(other, "w") as file:
        file["pixels"] = np.frombuffer(CANARY[:4800], "u1").reshape(1, 1, 60, 80)
    return other


def external_link(path):
    other = str(_other_file(path))
    _spoil(path, lambda f, g: place(g, "pixels", h5py.ExternalLink(other, "pixels")))


def external_link_of_a_group(path):
    other = str(_other_file(path))
    _spoil(path, lambda f, g: place(f, "elsewhere", h5py.ExternalLink(other, "/")))


def soft_link(path):
    _spoil(path, lambda f, g: place(f["images"], "abc", h5py.SoftLink(g.name)))


def virtual_dataset(path):
    layout = h5py.VirtualLayout((1, 1, 60, 80), "u1")
    layout[...] = h5py.VirtualSource(str(_other_file(path)), "pixels", (1, 1, 60, 80))

    def change(file, group):
        group.pop("pixels")
        group.create_virtual_dataset("pixels", layout)

    _spoil(path, change, libver="latest")


def petabytes_of_nothing(path):
    """0 bytes stored, 2.25 PB declared."""

    def change(file, group):
        swap(group, "pixels", (1, 1, 2**25, 2**25), "u2", chunks=(1, 1, 512, 512))
        swap(group, "mask", (1, 2**25, 2**25), "u1", chunks=(1, 256, 256))

    _spoil(path, change)


def enormous_block(path):
    fields = {"maxshape": (None,) * 3, "chunks": (1, 2**16, 2**15), "compression": "gzip"}
    _spoil(path, lambda f, g: swap(g, "mask", (1, 60, 80), "u1", **fields))


def gzip_bomb(path, blocks=64):
    """A gigabyte of zeros in a megabyte."""
    side = 4096
    packed = zlib.compress(bytes(side * side), 9)

    def change(file, group):
        shape = (1, blocks, side, side)
        fields = {"chunks": (1, 1, side, side), "compression": "gzip"}
        pixels = swap(group, "pixels", shape, "u1", **fields)
        for z in range(blocks):
            pixels.id.write_direct_chunk((0, z, 0, 0), packed)
        swap(group, "mask", shape[1:], "u1", chunks=(1, 256, 256), compression="gzip")

    _spoil(path, change)


def same_block_many_times(path):
    """1000 blocks that all lie in the same place: no checksums in the oldest format forbid it."""
    count, packed = 1000, zlib.compress(bytes(256 * 256), 9)
    with h5py.File(path, "w", libver="earliest") as file:
        file.attrs["format"] = np.bytes_(b"orgseg-project")
        file.attrs["schema_version"] = 2
        fields = {"chunks": (1, 256, 256), "compression": "gzip"}
        data = file.create_dataset("images/a/pixels", (count, 256, 256), "u1", **fields)
        for z in range(count):
            data.id.write_direct_chunk((z, 0, 0), packed)
        places = [data.id.get_chunk_info(z).byte_offset for z in range(count)]
    content = path.read_bytes()
    for z, at in enumerate(places):
        # size, filters left out, offset of the block and of a byte in it; where it lies
        old = struct.pack("<IIQQQQQ", len(packed), 0, z, 0, 0, 0, at)
        new = struct.pack("<IIQQQQQ", 2**20, 0, z, 0, 0, 0, places[0])
        assert content.count(old) == 1
        content = content.replace(old, new)
    path.write_bytes(content)


def unknown_filter(path):
    _spoil(path, lambda f, g: swap(g, "mask", (1, 60, 80), "u1", **_with_filter(31999)))


def _with_filter(number):
    return {"chunks": (1, 60, 80), "compression": number, "allow_unknown_filter": True}


def lzf_filter(path):
    fields = {"chunks": (1, 60, 80), "compression": "lzf"}
    _spoil(path, lambda f, g: swap(g, "mask", (1, 60, 80), "u1", **fields))


def deep_nesting(path, depth=3000):
    def change(file, group):
        for _ in range(depth):
            group = group.create_group("a")

    _spoil(path, change)


def thousands_of_groups(path):
    """350,000 of them."""

    def change(file, group):
        first = file.create_group("0")
        for n in range(1000):
            h5py.h5g.create(first.id, b"%d" % n)
        for n in range(1, 350):  # copying is ten times as fast as creating
            h5py.h5o.copy(file.id, b"0", file.id, b"%d" % n)

    _spoil(path, change)


def thousands_of_notes(path):
    def change(file, group):
        for n in range(1500):
            group.attrs[f"note {n}"] = n

    _spoil(path, change)


def loose_text(path):
    """Text of any length lies in a heap without checksums, in which HDF5 can be sent in circles."""
    _spoil(path, lambda f, g: swap(f, "text", data=["a"] * 10))


def enormous_value(path):
    _spoil(path, lambda f, g: swap(f, "text", (1,), "S1000000000"))


def named_type(path):
    _spoil(path, lambda f, g: place(f, "type", np.dtype("i4")))


def truncated_project(path):
    sound_project(path)
    with path.open("r+b") as stream:
        stream.truncate(path.stat().st_size * 2 // 3)


PROJECTS: dict[str, tuple[Callable, str]] = {
    "external storage": (external_storage, "keeps data in other files"),
    "external storage of a mask": (external_storage_of_a_mask, "keeps data in other files"),
    "external storage further down": (external_storage_further_down, "keeps data in other"),
    "external link": (external_link, "links to other places"),
    "external link of a group": (external_link_of_a_group, "links to other places"),
    "soft link": (soft_link, "links to other places"),
    "virtual dataset": (virtual_dataset, "keeps data in other files"),
    "2.25 PB in 0 bytes": (petabytes_of_nothing, "declares an image of impossible size"),
    "enormous block": (enormous_block, "declares blocks of impossible size"),
    "gzip bomb": (gzip_bomb, ""),
    "same block many times": (same_block_many_times, "declares more data than it holds"),
    "unknown filter": (unknown_filter, "compression"),
    "LZF filter": (lzf_filter, "compression"),
    "deep nesting": (deep_nesting, "more objects than any project"),
    "350,000 groups": (thousands_of_groups, "more objects than any project"),
    "thousands of notes": (thousands_of_notes, "more notes than any project"),
    "loose text": (loose_text, "kinds of values"),
    "enormous value": (enormous_value, "kinds of values"),
    "named type": (named_type, "kinds of objects"),
    "truncated": (truncated_project, "is cut off"),
}
"""Name → maker, and what it is refused with; nothing for what is merely large."""


# -- images --------------------------------------------------------------------------------------


def directory(*tags: tuple[int, int, int, int], following: int = 0) -> bytes:
    """A classic little-endian TIFF with one directory at offset 8."""
    body = b"".join(struct.pack("<HHII", *tag) for tag in sorted(tags))
    return struct.pack("<2sHIH", b"II", 42, 8, len(tags)) + body + struct.pack("<I", following)


def plain_tags(width: int, height: int, *, compression: int = 1, at: int = 200, size: int = 16):
    """The tags of a grey 16-bit picture in one strip."""
    return [
        (256, 4, 1, width), (257, 4, 1, height), (258, 3, 1, 16), (259, 3, 1, compression),
        (262, 3, 1, 1), (273, 4, 1, at), (277, 3, 1, 1), (278, 4, 1, height), (279, 4, 1, size),
    ]  # fmt: skip


def terabytes_in_a_tiff(path):
    """3.6 TiB declared in 4 KB."""
    path.write_bytes(directory(*plain_tags(1_400_000, 1_400_000)) + bytes(4000))


def terabytes_in_tiles(path):
    tags = [
        t for t in plain_tags(1_400_000, 1_400_000, compression=8) if t[0] not in (273, 278, 279)
    ]
    tiles = [(322, 4, 1, 1_400_000), (323, 4, 1, 1_400_000), (324, 4, 1, 200), (325, 4, 1, 16)]
    path.write_bytes(directory(*tags, *tiles) + bytes(4000))


def zlib_bomb_in_a_tiff(path):
    """268 MB in 272 KB, one strip."""
    _write_zeros(path, 16384, 1, rowsperstrip=16384)


def zlib_bomb_in_tiles(path):
    _write_zeros(path, 1024, 256, shape=(16384, 16384), tile=(1024, 1024))


def zlib_bomb_in_planes(path):
    """A gigabyte in a megabyte: 64 planes of 16 MB."""
    _write_zeros(path, 4096, 64, shape=(64, 4096, 4096), rowsperstrip=4096)


def _write_zeros(path, side, count, *, shape=None, **options):
    """A TIFF of zeros that is packed once and not held in memory."""
    parts = itertools.repeat(_long_zlib(side * side), count)
    shape = shape or (side, side)
    tifffile.imwrite(
        path, parts, shape=shape, dtype="u1", compression="zlib", photometric="minisblack",
        **options,
    )  # fmt: skip


def lying_zlib_in_a_tiff(path):
    """A strip that says it is 64 × 64 and unpacks to a gigabyte."""
    packed = _long_zlib(2**30)
    tags = plain_tags(64, 64, compression=8, size=len(packed))
    path.write_bytes(directory(*tags).ljust(200, b"\0") + packed)


@functools.cache
def _long_zlib(size: int) -> bytes:
    """Zeros, packed 1000 : 1; what was packed once is repeated."""
    piece = min(size, 2**22)
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = packer.compress(bytes(piece)) + packer.flush(zlib.Z_FULL_FLUSH)
    checksum = (size % 65521) << 16 | 1  # Adler-32 of zeros
    return b"\x78\xda" + packed * (size // piece) + b"\x03\0" + struct.pack(">I", checksum)


def tag_of_gigabytes(path):
    """A private tag that claims four billion numbers."""
    path.write_bytes(directory(*plain_tags(20, 20), (65000, 12, 2**32 - 1, 100)) + bytes(4000))


def strips_by_the_billion(path):
    tags = [t for t in plain_tags(20, 20) if t[0] not in (273, 279)]
    tags += [(273, 4, 2**30, 200), (279, 4, 2**30, 200)]
    path.write_bytes(directory(*tags) + bytes(4000))


def many_pages(path):
    """100,000 pages of nothing: each is an object in memory."""
    tags = plain_tags(20, 20, at=8, size=800)
    page = struct.pack("<H", len(tags)) + b"".join(struct.pack("<HHII", *t) for t in tags)
    step, count = len(page) + 4, 100_000
    pages = (
        page + struct.pack("<I", 1000 + (n + 1) * step if n + 1 < count else 0)
        for n in range(count)
    )
    path.write_bytes(struct.pack("<2sHI", b"II", 42, 1000).ljust(1000, b"\0") + b"".join(pages))


def pages_in_a_circle(path):
    path.write_bytes(directory(*plain_tags(20, 20), following=8) + bytes(4000))


def truncated_tiff(path):
    data = np.random.default_rng(1).integers(0, 255, (8, 64, 64), "u1")
    tifffile.imwrite(path, data, compression="zlib")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def entities_in_a_tiff(path):
    """A description that unfolds to gigabytes of text."""
    lines = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 12))
    text = f'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a0 "ha">{lines}]><OME>&a11;</OME>'
    tifffile.imwrite(path, np.zeros((20, 20), "u1"), description=text, metadata=None)


def description_of_other_files(path):
    """An OME description that says that the second plane lies in the canary."""
    other = canary_of(path)
    text = (
        '<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" '
        'UUID="urn:uuid:1"><Image ID="Image:0"><Pixels ID="Pixels:0" DimensionOrder="XYZCT" '
        'Type="uint8" SizeX="80" SizeY="60" SizeZ="2" SizeC="1" SizeT="1">'
        '<Channel ID="Channel:0:0" SamplesPerPixel="1"/>'
        f'<TiffData FirstZ="0" IFD="0" PlaneCount="1"><UUID FileName="{path.name}">urn:uuid:1'
        '</UUID></TiffData><TiffData FirstZ="1" IFD="0" PlaneCount="1">'
        f'<UUID FileName="{other}">urn:uuid:2</UUID></TiffData></Pixels></Image></OME>'
    )
    tifffile.imwrite(path, np.ones((60, 80), "u1"), description=text, metadata=None)


def chunk(kind: bytes, content: bytes) -> bytes:
    """One chunk of a PNG."""
    checksum = struct.pack(">I", zlib.crc32(kind + content))
    return struct.pack(">I", len(content)) + kind + content + checksum


def png(width: int, height: int, packed: bytes, *more: bytes, colour: int = 2) -> bytes:
    """An 8-bit PNG, by its packed rows."""
    head = struct.pack(">IIBBBBB", width, height, 8, colour, 0, 0, 0)
    parts = [chunk(b"IHDR", head), *more, chunk(b"IDAT", packed), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def png_bomb(path):
    """1.2 GB of black in 1.2 MB."""
    path.write_bytes(png(20_000, 20_000, _long_zlib(2**30)))


def lying_png(path):
    """64 × 64 pixels, and a gigabyte of rows behind them."""
    path.write_bytes(png(64, 64, _long_zlib(2**30)))


def text_bomb_in_a_png(path):
    """A note and a colour profile that unfold to half a gigabyte each."""
    long = _long_zlib(2**29)
    rows = zlib.compress(bytes((64 * 3 + 1) * 64))
    notes = chunk(b"iCCP", b"p\0\0" + long), chunk(b"zTXt", b"note\0\0" + long)
    path.write_bytes(png(64, 64, rows, *notes))


def enormous_jpeg(path):
    """65,500 × 65,500 pixels declared, none there."""
    frame = struct.pack(">BHHB", 8, 65_500, 65_500, 3) + bytes(
        itertools.chain.from_iterable((n, 0x11, 0) for n in (1, 2, 3))
    )
    data = b"\xff\xd8\xff\xc0" + struct.pack(">H", len(frame) + 2) + frame
    data += b"\xff\xda" + struct.pack(">H", 12) + bytes([3, 1, 0, 2, 0, 3, 0, 0, 63, 0])
    path.write_bytes(data + bytes(1000) + b"\xff\xd9")


IMAGES: dict[str, tuple[Callable, str]] = {
    "3.6 TiB in 4 KB.tif": (terabytes_in_a_tiff, "declares 3.6 TiB"),
    "3.6 TiB in tiles.tif": (terabytes_in_tiles, "declares 3.6 TiB"),
    "268 MB in 272 KB.tif": (zlib_bomb_in_a_tiff, "declares 256 MiB"),
    "268 MB in tiles.tif": (zlib_bomb_in_tiles, "declares 256 MiB"),
    "1 GB in planes.tif": (zlib_bomb_in_planes, "declares 1.0 GiB"),
    "a lying strip.tif": (lying_zlib_in_a_tiff, ""),
    "tag of gigabytes.tif": (tag_of_gigabytes, ""),
    "strips by the billion.tif": (strips_by_the_billion, "incomplete"),
    "100,000 pages.tif": (many_pages, ""),
    "pages in a circle.tif": (pages_in_a_circle, "runs in a circle"),
    "truncated.tif": (truncated_tiff, "incomplete"),
    "entities.tif": (entities_in_a_tiff, "XML entities"),
    "another file.ome.tif": (description_of_other_files, ""),
    "bomb.png": (png_bomb, "declares"),
    "a lying picture.png": (lying_png, "far more data than its size"),
    "text bomb.png": (text_bomb_in_a_png, ""),
    "enormous.jpg": (enormous_jpeg, "declares"),
}
"""Name → maker, and what it is refused with; nothing for what may as well be read harmlessly."""
