"""What kind of place a project lies in, and where its journal belongs.

The journal is an SQLite database, and those do not work over a network: it lies beside the project
on a local disk, and in the folder of the app's own data where the project is on a server. Folders
that a cloud service copies while they are written to deserve a warning.
"""

from __future__ import annotations

import functools
import hashlib
import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path, PurePath, PureWindowsPath

from orgseg_app import paths
from orgseg_app.files.atomic import shortened

_LONGEST_NAME = 230  # SQLite adds to it, and 255 bytes is the limit
JOURNAL = "-journal"

_REMOTE_KINDS = re.compile(
    "9p|acfs|afp|afpfs|afs|autofs|beegfs|ceph|cifs|coda|cvfs|davfs|dfs|drvfs|exafs|ftp|fuse|gfs2?|"
    "glusterfs|gpfs|kafs|lustre|mmfs|ncp|ncpfs|nfs[34]?|ocfs2|orangefs|panfs|prl_fs|pvfs2|sharefs|"
    "shfs|smb[23]?|smbfs|vboxsf|virtiofs|vmhgfs|webdav|wekafs"
)
# File systems in user space are mostly servers; these lie on a local disk.
_LOCAL_FUSE = re.compile(
    "apfs|bindfs|cryfs|encfs|exfat(-fuse)?|ext[234]?|fuse-overlayfs|gocryptfs|lklfuse|mergerfs|"
    "mhddfs|ntfs(-3g)?|overlayfs|portal|securefs|shadow|snapfuse|squashfuse|unionfs(-fuse)?|"
    "veracrypt"
)
_ESCAPE = re.compile(r"\\([0-7]{3})")

_DRIVE_REMOTE = 4
_MAC_LOCAL = 0x1000  # MNT_LOCAL of <sys/mount.h>
_MAC_FLAGS_AT, _MAC_KIND_AT = 64, 72  # in struct statfs with 64-bit inodes

# What the folders of these services are called, at the start of a part of a path.
_CLOUD_PARTS = (
    ("onedrive", "OneDrive"),
    ("dropbox", "Dropbox"),
    ("com~apple~clouddocs", "iCloud Drive"),
    ("icloud drive", "iCloud Drive"),
    ("iclouddrive", "iCloud Drive"),
    ("icloud~", "iCloud Drive"),
    ("google drive", "Google Drive"),
    ("googledrive", "Google Drive"),
    ("nextcloud", "Nextcloud"),
    ("owncloud", "ownCloud"),
    ("box sync", "Box"),
    ("box-box", "Box"),
    ("pclouddrive", "pCloud"),
    ("pcloud drive", "pCloud"),
)
# Behind the name stands nothing, or a person or company: "OneDrive - Uni", "Dropbox (Lab)".
_BEHIND_NAME = re.compile(r"(?:$|[ \-_(].*)", re.DOTALL)
# FILE_ATTRIBUTE_RECALL_ON_OPEN, _PINNED, _UNPINNED, _RECALL_ON_DATA_ACCESS: cloud files of Windows
_CLOUD_ATTRIBUTES = 0x0004_0000 | 0x0008_0000 | 0x0010_0000 | 0x0040_0000


@dataclass(frozen=True)
class Mount:
    """A mounted file system.

    Attributes
    ----------
    device
        Its number as ``major:minor``.
    folder
        Where it is mounted.
    kind
        Such as ``"ext4"``, ``"cifs"``, ``"fuse.sshfs"``.
    """

    device: str
    folder: str
    kind: str

    @property
    def is_remote(self) -> bool:
        """True when it is a server's."""
        return is_remote_kind(self.kind)


def journal_path(project: Path, project_uuid: str) -> Path:
    """Where the journal of a project lies: beside it, or with the app's data on this computer.

    Parameters
    ----------
    project
        Path of the project file.
    project_uuid
        Its identity: a project that a server's folder gets under a known name has another journal.
    """
    resolved = Path(os.path.realpath(project))
    if not is_remote(resolved):
        return resolved.with_name(shortened(resolved.name, _LONGEST_NAME) + JOURNAL)
    folder = os.path.normcase(os.fspath(resolved)).encode("utf-8", "surrogateescape")
    place = hashlib.sha256(folder).hexdigest()[:16]
    identity = re.sub(r"[^0-9A-Za-z]", "", project_uuid)[:32]
    return paths.data_dir() / "journals" / f"{identity}-{place}.orgseg{JOURNAL}"


def is_remote(path: Path) -> bool:
    """True when a file or folder, which may not exist yet, is on another computer.

    Where the system does not tell, it counts as local.
    """
    resolved = Path(os.path.realpath(path))
    try:
        if sys.platform == "win32":
            return _is_remote_windows(resolved)
        if sys.platform == "darwin":
            return _is_remote_mac(resolved)
        mount = mount_of(resolved, _mountinfo())
    except (OSError, AttributeError, ValueError):
        return False
    return mount is not None and mount.is_remote


def is_remote_descriptor(descriptor: int) -> bool:
    """The same for an open file, on Linux; False elsewhere."""
    if not sys.platform.startswith("linux"):
        return False
    try:
        device = os.fstat(descriptor).st_dev
        return _is_remote_device(f"{os.major(device)}:{os.minor(device)}")
    except (OSError, ValueError):
        return False


def cloud_warning(path: Path) -> str:
    """A sentence for a project in a folder that a cloud service copies; empty elsewhere."""
    service = cloud_service(path) or cloud_service(Path(os.path.realpath(path)))
    if not service and _has_cloud_attributes(path):
        service = "a cloud service"
    if not service:
        return ""
    return (
        f"“{path.name}” lies in a folder of {service}, which may copy it in the middle of a save. "
        "Work on it on one computer at a time, and close it before the other one opens it; a "
        "folder that is not copied is safer."
    )


def cloud_service(path: PurePath) -> str:
    """The cloud service that a folder's name tells of, or an empty text."""
    parts = [part.casefold() for part in path.parts[:-1]]
    for place, part in enumerate(parts):
        if part == "cloudstorage" and place and parts[place - 1] == "library":
            # macOS: ~/Library/CloudStorage/OneDrive-Personal
            provider = path.parts[place + 1] if place + 1 < len(parts) else ""
            return _service(provider.casefold()) or provider.split("-")[0] or "a cloud service"
        if part in ("my drive", "shared drives") and place == 1:  # G:\My Drive
            return "Google Drive"
        service = _service(part)
        if service:
            return service
    return ""


def mount_of(path: PurePath, mountinfo: str) -> Mount | None:
    """The file system that a path without links lies in.

    Parameters
    ----------
    path
        Absolute.
    mountinfo
        What ``/proc/self/mountinfo`` says. Of two mounts on one folder the later one counts.
    """
    found: Mount | None = None
    for mount in parse_mountinfo(mountinfo):
        inside = mount.folder == "/" or path == PurePath(mount.folder)
        inside = inside or PurePath(mount.folder) in path.parents
        if inside and (found is None or len(mount.folder) >= len(found.folder)):
            found = mount
    return found


def parse_mountinfo(text: str) -> list[Mount]:
    """The mounts in the text of ``/proc/self/mountinfo``; lines that make no sense are left out."""
    mounts = []
    for line in text.splitlines():
        before, _, behind = line.partition(" - ")
        fields, kinds = before.split(), behind.split()
        if len(fields) >= 5 and kinds:
            mounts.append(Mount(device=fields[2], folder=_unescaped(fields[4]), kind=kinds[0]))
    return mounts


def is_remote_kind(kind: str) -> bool:
    """True for kinds of file system that lie on another computer."""
    family, _, name = kind.casefold().partition(".")
    if family in ("fuse", "fuseblk"):
        return family == "fuse" and not _LOCAL_FUSE.fullmatch(name)
    return bool(_REMOTE_KINDS.fullmatch(family))


def is_share(path: PureWindowsPath) -> bool:
    r"""True for ``\\server\share``, however it is written; not for ``\\?\C:\folder``."""
    root = path.drive.replace("/", "\\").casefold()
    if root.startswith(("\\\\?\\unc\\", "\\\\.\\unc\\")):
        return True
    return root.startswith("\\\\") and not root.startswith(("\\\\?\\", "\\\\.\\"))


def parse_statfs(answer: bytes) -> tuple[bool, str]:
    """Whether a file system is local, and its kind, from macOS' ``struct statfs``."""
    flags = int.from_bytes(answer[_MAC_FLAGS_AT : _MAC_FLAGS_AT + 4], "little")
    kind = answer[_MAC_KIND_AT : _MAC_KIND_AT + 16].split(b"\0")[0].decode("ascii", "replace")
    return bool(flags & _MAC_LOCAL), kind


@functools.lru_cache(maxsize=256)
def _is_remote_device(device: str) -> bool:
    """Remembered: a lock asks at every read, and a file that is open keeps its device mounted."""
    return any(mount.is_remote for mount in parse_mountinfo(_mountinfo()) if mount.device == device)


def _mountinfo() -> str:
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as stream:
        return stream.read()


def _unescaped(text: str) -> str:
    r"""Spaces and the like are written ``\040`` there, byte by byte."""
    return _ESCAPE.sub(lambda match: chr(int(match[1], 8)), text)


def _is_remote_windows(path: Path) -> bool:
    """UNC paths, and letters that stand for a share."""
    if sys.platform == "win32" and not is_share(PureWindowsPath(path)):
        import ctypes

        return ctypes.windll.kernel32.GetDriveTypeW(path.anchor) == _DRIVE_REMOTE
    return True


def _is_remote_mac(path: Path) -> bool:
    """What ``statfs`` says of the path, or of the nearest folder that exists."""
    import ctypes

    library = ctypes.CDLL(None, use_errno=True)
    # On Intel the plain name is the call with 32-bit inodes, and another structure.
    statfs = getattr(library, "statfs$INODE64", None) or library.statfs
    answer = ctypes.create_string_buffer(4096)
    for place in (path, *path.parents):
        if statfs(os.fsencode(place), answer) == 0:
            local, kind = parse_statfs(answer.raw)
            return not local or is_remote_kind(kind)
    return False


def _service(part: str) -> str:
    for start, service in _CLOUD_PARTS:
        if part.startswith(start) and _BEHIND_NAME.fullmatch(part[len(start) :]):
            return service
    return ""


def _has_cloud_attributes(path: Path) -> bool:
    """True for a Windows file that a cloud service manages."""
    try:
        attributes = getattr(os.stat(path), "st_file_attributes", 0)
    except OSError:
        return False
    return bool(attributes & _CLOUD_ATTRIBUTES)
