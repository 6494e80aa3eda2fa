"""Whether the time of a file's last change can be believed, or somebody may have set it back.

Linux and macOS move it at every change, and let no program choose it. But a stick or a memory card
may have been in another computer meanwhile, a server says what it likes, FAT keeps no such time,
and on Windows it is the time of creation. Where it can be believed, a project that this computer
knows (`orgseg_app.files.safety.known_files`) is not walked through again; elsewhere it is.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path, PurePath

from orgseg_app.files.store import places

_KEEPING_KINDS = (
    *("bcachefs", "btrfs", "ext2", "ext3", "ext4", "f2fs", "jfs", "nilfs2", "overlay", "reiserfs"),
    *("tmpfs", "xfs", "zfs"),
)
_FOLDERS_OF_GUESTS = ("/media", "/run/media", "/Volumes")
_DEVICES_OF_GUESTS = ("/usb", "/mmc", "/loop")


def can_be_believed(path: Path) -> bool:
    """True on a disk that stays in this computer and notes by itself when a file was changed."""
    resolved = PurePath(os.path.realpath(path))
    if any(PurePath(folder) in resolved.parents for folder in _FOLDERS_OF_GUESTS):
        return False
    try:
        if sys.platform == "win32":
            return False
        if sys.platform == "darwin":
            return not places.is_remote(path)
        with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as stream:
            mount = places.mount_of(resolved, stream.read())
        if mount is None:
            return False
        device = os.path.realpath(f"/sys/dev/block/{mount.device}")
    except (OSError, ValueError):
        return False
    return is_keeping(mount, device)


def is_keeping(mount: places.Mount, device: str) -> bool:
    """The same for a file system of Linux.

    Parameters
    ----------
    mount
        The file system.
    device
        Folder of its disk in ``/sys``; one that does not exist where the kernel names none.
    """
    is_guest = any(part in device for part in _DEVICES_OF_GUESTS)
    return mount.kind in _KEEPING_KINDS and not is_guest
