"""Where the time of a change counts as proof, and where it does not."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from orgseg_app.files.safety import change_times
from orgseg_app.files.safety.change_times import can_be_believed, is_keeping
from orgseg_app.files.store.places import Mount

DISK = "/sys/devices/pci0000:00/0000:00:17.0/ata1/host0/target0:0:0/0:0:0:0/block/sda/sda1"
STICK = "/sys/devices/pci0000:00/0000:00:14.0/usb2/2-1/2-1:1.0/host6/block/sdb/sdb1"
CARD = "/sys/devices/pci0000:00/mmc_host/mmc0/mmc0:0001/block/mmcblk0/mmcblk0p1"


@pytest.mark.parametrize(
    ("kind", "device", "expected"),
    [
        ("ext4", DISK, True),
        ("xfs", DISK, True),
        ("btrfs", "/sys/dev/block/0:37", True),  # its disks have other numbers
        ("ext4", STICK, False),
        ("ext4", CARD, False),
        ("ext4", "/sys/devices/virtual/block/loop3", False),
        ("vfat", DISK, False),
        ("exfat", DISK, False),
        ("fuseblk", DISK, False),
        ("nfs4", "/sys/dev/block/0:50", False),
        ("cifs", "/sys/dev/block/0:51", False),
        ("fuse.sshfs", "/sys/dev/block/0:52", False),
        ("9p", "/sys/dev/block/0:53", False),
    ],
)
def test_disks_of_this_computer_count(kind, device, expected):
    assert is_keeping(Mount("8:1", "/", kind), device) is expected


@pytest.mark.parametrize("folder", ["/media/eva/STICK", "/run/media/eva/STICK", "/Volumes/STICK"])
def test_what_is_plugged_in_does_not_count(folder):
    assert not can_be_believed(Path(folder, "cells.orgseg"))


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="asks Linux")
def test_a_place_that_the_system_does_not_know_does_not_count(tmp_path, monkeypatch):
    monkeypatch.setattr(change_times.places, "mount_of", lambda *_: None)
    assert not can_be_believed(tmp_path / "p.orgseg")


@pytest.mark.skipif(os.name == "nt", reason="Windows tells the time of creation")
def test_where_it_counts_no_program_can_set_the_time_back(tmp_path):
    """What the rule rests on, on the disk that the tests run on."""
    if not can_be_believed(tmp_path):
        pytest.skip("the tests lie on another kind of disk")
    path = tmp_path / "a"
    path.write_bytes(b"x")
    before = path.stat()
    for _ in range(1000):  # until the system's clock has moved
        path.write_bytes(b"y")
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
        if path.stat().st_ctime_ns != before.st_ctime_ns:
            break
    after = path.stat()
    assert after.st_mtime_ns == before.st_mtime_ns
    assert after.st_ctime_ns > before.st_ctime_ns
