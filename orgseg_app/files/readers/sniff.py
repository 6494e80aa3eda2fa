"""What a file is, from its first bytes, and the sentences for what cannot be opened."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from orgseg_app.files.errors import ReadError
from orgseg_app.files.readers.inside import split_inside
from orgseg_app.files.readers.mrc_header import looks_like_mrc
from orgseg_app.files.readers.names import shown

_HEAD = 512

_HDF5 = b"\x89HDF\r\n\x1a\n"

_MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"II*\0", "tiff"),
    (b"MM\0*", "tiff"),
    (b"II+\0", "tiff"),
    (b"MM\0+", "tiff"),
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"\xff\xd8\xff", "jpeg"),
    (b"BM", "bmp"),
    (_HDF5, "hdf5"),
    (b"ZISRAWFILE", "czi"),
    (b"\xda\xce\xbe\x0a", "nd2"),
    (b"OLYMPUSRAWFORMAT", "oir"),
)

_JPEG_2000 = b"\0\0\0\x0cjP  "
_COMPOUND = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"

_KNOWN_OTHERS: tuple[tuple[bytes, str], ...] = (
    (b"GIF8", "a GIF picture"),
    (b"%PDF", "a PDF document"),
    (b"PK\x03\x04", "a ZIP archive"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"\x93NUMPY", "a NumPy array file"),
    (_JPEG_2000, "a JPEG 2000 picture"),
    (b"\0\0\0\x0cJXL ", "a JPEG XL picture"),
    (_COMPOUND, "an old Office document, or of a program that writes like it"),
)

_XLIF = (b"<LMSDataContainerHeader", "<LMSDataContainerHeader".encode("utf-16-le"))
_OIF = tuple(
    f"[{section}]".encode(code)
    for section in ("ProfileSaveInfo", "Version Info", "File Info")
    for code in ("utf-16-le", "utf-8")
)
_OIF_STARTS = (b"[", b"\xff\xfe[\0", b"\xef\xbb\xbf[")
_OIB = "OibInfo.txt".encode("utf-16-le")

SUFFIX_FAMILIES: dict[str, str] = {
    ".tif": "tiff",
    ".tiff": "tiff",
    ".btf": "tiff",
    ".tf8": "tiff",
    ".lsm": "tiff",
    ".stk": "tiff",
    ".png": "png",
    ".jpg": "jpeg",
    ".jpeg": "jpeg",
    ".jpe": "jpeg",
    ".bmp": "bmp",
    ".dib": "bmp",
    ".h5": "hdf5",
    ".hdf5": "hdf5",
    ".hdf": "hdf5",
    ".he5": "hdf5",
    ".ims": "hdf5",
    ".mrc": "mrc",
    ".mrcs": "mrc",
    ".rec": "mrc",
    ".st": "mrc",
    ".map": "mrc",
    ".ali": "mrc",
    ".czi": "czi",
    ".nd2": "nd2",
    ".lif": "lif",
    ".lof": "lif",
    ".xlif": "lif",
    ".oif": "oif",
    ".oib": "oif",
    ".oir": "oir",
}
"""File name endings, lower case, and what they promise; the content decides."""

FILE_PATTERNS = " ".join(f"*{suffix}" for suffix in SUFFIX_FAMILIES)
"""What a dialog that asks for images shows."""

FAMILY_TITLES = {
    "tiff": "TIFF",
    "png": "PNG",
    "jpeg": "JPEG",
    "bmp": "BMP",
    "hdf5": "HDF5",
    "mrc": "MRC",
    "czi": "Zeiss CZI",
    "nd2": "Nikon ND2",
    "lif": "Leica LIF",
    "oif": "Olympus OIF",
    "oir": "Olympus OIR",
}

SUPPORTED = (
    "TIFF, PNG, JPEG and BMP images, HDF5, MRC and OME-Zarr volumes, and the files of Zeiss (CZI), "
    "Nikon (ND2), Leica (LIF, LOF, XLIF) and Olympus (OIR, OIB, OIF) microscopes"
)

RUNS = "runs"
"""Family of JSON files with run-length labels: annotations, never images."""

RUNS_SUFFIX = ".json"
_RUNS_KEY = b'".info"'
_RUNS_LOOKED = 1 << 16

ZARR = "zarr"
_ZARR_FILES = (".zattrs", ".zgroup", ".zarray", "zarr.json")
_USER_BLOCKS = (512, 1024, 2048, 4096)


def family_of(head: bytes) -> str | None:
    """``"tiff"``, ``"png"``, … for a file that begins with ``head``."""
    for magic, family in _MAGIC:
        if head.startswith(magic):
            if family == "bmp" and (len(head) < 26 or head[15:18] != b"\0\0\0"):
                continue  # a text may well begin with the letters BM
            return family
    if head[:4] == b"p\0\0\0" and head[8:9] == b"*":
        return "lif"
    if any(word in head for word in _XLIF):
        return "lif"
    if head.startswith(_OIF_STARTS) and any(word in head for word in _OIF):
        return "oif"
    return "mrc" if looks_like_mrc(head) else None


def _family_of_file(path: Path, head: bytes) -> str | None:
    """The family of files whose first bytes do not say enough."""
    if head.startswith(_JPEG_2000) and path.suffix.lower() == ".nd2":
        return "nd2"  # of the old kind
    if head.startswith(_COMPOUND) and _is_oib(path, head):
        return "oif"
    if _has_user_block(path):
        return "hdf5"
    return RUNS if is_runs(path) else None


def is_zarr(path: Path) -> bool:
    """True for a folder that says it is a Zarr array or group."""
    try:
        return path.is_dir() and any((path / name).is_file() for name in _ZARR_FILES)
    except (OSError, ValueError):
        return False


def is_runs(path: Path) -> bool:
    """True for a JSON file that says it holds run-length labels, at its start or at its end."""
    if path.suffix.lower() != RUNS_SUFFIX:
        return False
    try:
        with path.open("rb") as stream:
            if _RUNS_KEY in stream.read(_RUNS_LOOKED):
                return True
            stream.seek(max(0, path.stat().st_size - _RUNS_LOOKED))
            return _RUNS_KEY in stream.read(_RUNS_LOOKED)
    except OSError:
        return False


def sniff(path: Path) -> str:
    """The family of an image file, from its content.

    Raises
    ------
    ReadError
        One sentence if the file is missing, empty, a folder, not readable or something else.
    """
    path, _ = split_inside(path)
    if is_zarr(path):
        return ZARR
    head = read_head(path)
    family = family_of(head) or _family_of_file(path, head)
    if family is None:
        raise ReadError(_wrong_content(path, head))
    return family


def read_head(path: Path) -> bytes:
    """The first bytes of a file that exists, is a file and may be read.

    Raises
    ------
    ReadError
        As for `sniff`.
    """
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise ReadError(f"{shown(path)} is a folder where an image file was expected.")
        if not stat.S_ISREG(mode):
            raise ReadError(f"{shown(path)} is not a file that can be opened as an image.")
        with path.open("rb") as stream:
            head = stream.read(_HEAD)
    except (OSError, ValueError) as error:
        raise cannot_open(path, error) from error
    if not head:
        raise ReadError(f"{shown(path)} is empty (0 bytes); copy it again from where it came from.")
    return head


def cannot_open(path: Path, error: OSError | ValueError) -> ReadError:
    """The sentence for a file that the operating system did not let us open."""
    if isinstance(error, FileNotFoundError):
        return ReadError(f"{shown(path)} does not exist; it may have been moved or renamed.")
    if isinstance(error, PermissionError):
        return ReadError(
            f"{shown(path)} may not be read: you have no permission for it, "
            "or another program holds it."
        )
    if isinstance(error, ValueError):  # a NUL in the name
        return ReadError(f"{shown(path)} is not a file name that can be opened.")
    if error.errno == errno.ENAMETOOLONG:
        return ReadError(f"{shown(path)} has too long a name to be opened.")
    reason = os.strerror(error.errno) if error.errno else str(error)
    return ReadError(f"{shown(path)} could not be read: {reason.lower()}.")


def _has_user_block(path: Path) -> bool:
    """True for HDF5 that begins with a block of the program's own, as MATLAB's files do."""
    try:
        with path.open("rb") as stream:
            for offset in _USER_BLOCKS:
                stream.seek(offset)
                if stream.read(8) == _HDF5:
                    return True
    except OSError:
        pass  # read once already; whoever opens it says why
    return False


def _is_oib(path: Path, head: bytes) -> bool:
    """True for a compound file whose list of contents begins with Olympus' own."""
    shift = int.from_bytes(head[30:32], "little")
    first = int.from_bytes(head[48:52], "little")
    if shift not in (9, 12):
        return False
    try:
        with path.open("rb") as stream:
            stream.seek((first + 1) << shift)
            return _OIB in stream.read(1 << max(shift, 12))
    except OSError:
        return False


def _wrong_content(path: Path, head: bytes) -> str:
    promised = SUFFIX_FAMILIES.get(path.suffix.lower())
    content = _describe(head)
    if promised is None:
        return f"{shown(path)} is {content}; OrgSeg reads {SUPPORTED}."
    title = FAMILY_TITLES[promised]
    return f"{shown(path)} is not a {title} image although it is named like one: it is {content}."


def _describe(head: bytes) -> str:
    for magic, content in _KNOWN_OTHERS:
        if head.startswith(magic):
            return content
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "a WebP picture"
    if not head.strip(b"\0"):
        return "filled with zeros, as after an interrupted copy"
    if _is_text(head):
        return "a text file"
    return "in a format that is not known here"


def _is_text(head: bytes) -> bool:
    if b"\0" in head:
        return False
    try:
        text = head.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.start < len(head) - 4:  # else: a character cut in two at the end of the sample
            return False
        text = head[: error.start].decode("utf-8")
    return sum(c.isprintable() or c.isspace() for c in text) >= 0.95 * len(text)
