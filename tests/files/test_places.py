"""Where a project lies: this computer, a server, a folder that a cloud service copies."""

from __future__ import annotations

import os
import sys
from pathlib import Path, PurePosixPath, PureWindowsPath

import pytest

from orgseg_app import paths
from orgseg_app.files.store import places

MOUNTINFO = r"""
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw,errors=remount-ro
23 22 0:21 / /proc rw,nosuid - proc proc rw
30 22 8:2 / /home rw - xfs /dev/sda2 rw
31 22 0:40 / /mnt/lab rw,relatime shared:7 master:2 - nfs4 server:/lab rw,vers=4.2,addr=10.0.0.1
32 22 0:41 / /mnt/lab\040share rw - cifs //server/lab rw,vers=3.1.1
33 30 0:42 / /home/anna/remote rw,nosuid - fuse.sshfs anna@cluster: rw,user_id=1000
34 30 0:43 / /home/anna/secret rw - fuse.gocryptfs /home/anna/.secret rw
35 22 0:44 / /mnt/c rw - 9p drvfs rw,dirsync
36 22 0:45 / /scratch rw - lustre mgs@tcp:/scratch rw
37 22 0:46 / /fast rw - beegfs beegfs_nodev rw
38 22 0:47 / /mnt/usb rw - fuseblk /dev/sdb1 rw
39 22 0:48 / /auto rw - autofs systemd-1 rw
40 39 8:3 / /auto rw - ext4 /dev/sdc1 rw
41 22 0:49 / /mnt/zfs rw - zfs pool rw
half a line
"""

MOUNTED = {
    "/data/p.orgseg": "ext4",
    "/home/anna/p.orgseg": "xfs",
    "/mnt/lab/a/b/p.orgseg": "nfs4",
    "/mnt/lab share/p.orgseg": "cifs",
    "/mnt/labour/p.orgseg": "ext4",
    "/home/anna/remote/p.orgseg": "fuse.sshfs",
    "/home/anna/secret/p.orgseg": "fuse.gocryptfs",
    "/mnt/c/p.orgseg": "9p",
    "/scratch/p.orgseg": "lustre",
    "/fast/p.orgseg": "beegfs",
    "/mnt/usb/p.orgseg": "fuseblk",
    "/auto/p.orgseg": "ext4",
    "/mnt/zfs/p.orgseg": "zfs",
}


@pytest.mark.parametrize("path", MOUNTED)
def test_the_file_system_is_the_one_mounted_nearest(path):
    mount = places.mount_of(PurePosixPath(path), MOUNTINFO)
    assert mount.kind == MOUNTED[path]
    assert mount.is_remote == (
        mount.kind in ("nfs4", "cifs", "fuse.sshfs", "9p", "lustre", "beegfs")
    )


def test_kinds_nobody_listed():
    """An unknown file system in user space is mostly a server's, one in the kernel is not."""
    assert places.is_remote_kind("fuse.brandnew")
    assert places.is_remote_kind("fuse")
    assert places.is_remote_kind("FUSE.RCLONE")
    assert not places.is_remote_kind("brandnewfs")
    assert not places.is_remote_kind("nfsd")  # a server's own control files
    assert places.mount_of(PurePosixPath("/x"), "") is None
    assert places.parse_mountinfo("a - b\n1 2 3 / \n - - -") == []


def test_this_machine_answers(tmp_path):
    """Whatever the folder of the tests is, its file and its path agree."""
    if not sys.platform.startswith("linux"):
        pytest.skip("open files are asked on Linux only")
    file = tmp_path / "f"
    file.write_bytes(b"")
    with open(file, "rb") as stream:
        assert places.is_remote_descriptor(stream.fileno()) == places.is_remote(file)
    assert places.is_remote(tmp_path / "not" / "there" / "yet") == places.is_remote(tmp_path)
    assert not places.is_remote(Path("/proc/self/status"))


def test_windows_shares_by_their_names():
    for share in (
        r"\\server\lab\p.orgseg",
        "//server/lab/p.orgseg",
        r"\\?\UNC\server\lab\p.orgseg",
        r"\\wsl.localhost\Debian\home\p.orgseg",
    ):
        assert places.is_share(PureWindowsPath(share)), share
    for local in (r"C:\data\p.orgseg", r"\\?\C:\data\p.orgseg", r"\\.\C:\p.orgseg", r"data\p"):
        assert not places.is_share(PureWindowsPath(local)), local


def test_what_macos_says():
    def answer(flags, kind):
        raw = bytearray(2168)
        raw[64:68] = flags.to_bytes(4, "little")
        raw[72 : 72 + len(kind)] = kind
        return bytes(raw)

    assert places.parse_statfs(answer(0x0480_1000, b"apfs")) == (True, "apfs")
    assert places.parse_statfs(answer(0x0080_0018, b"smbfs")) == (False, "smbfs")


def test_the_journal_lies_beside_a_local_project(tmp_path, monkeypatch):
    monkeypatch.setattr(places, "is_remote", lambda _: False)
    assert places.journal_path(tmp_path / "p.orgseg", "ab" * 16) == tmp_path / "p.orgseg-journal"


def test_a_servers_journal_lies_on_this_computer(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(places, "is_remote", lambda path: asked.append(path) or True)
    project = tmp_path / "p.orgseg"
    journal = places.journal_path(project, "ab" * 16)
    assert asked == [project]
    assert journal.parent == paths.data_dir() / "journals"
    assert journal.name.startswith("ab" * 16 + "-")
    assert journal.name.endswith(".orgseg-journal")
    assert not journal.parent.exists()  # who writes makes it
    assert places.journal_path(project, "ab" * 16) == journal
    # Two projects never share one: neither copies with one identity, nor two in one place.
    assert places.journal_path(tmp_path / "copy.orgseg", "ab" * 16) != journal
    assert places.journal_path(project, "cd" * 16) != journal
    # An identity is text from a file, and no way out of the folder.
    assert places.journal_path(project, "../../x" + "y" * 99).parent == journal.parent


@pytest.mark.skipif(os.name == "nt", reason="links need a permission on Windows")
def test_a_link_to_a_project_leads_to_its_journal(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "p.orgseg").write_bytes(b"")
    (tmp_path / "link.orgseg").symlink_to(tmp_path / "real" / "p.orgseg")
    here = places.journal_path(tmp_path / "link.orgseg", "ab" * 16)
    assert here == places.journal_path(tmp_path / "real" / "p.orgseg", "ab" * 16)


MAC = "/".join(("", "Users", "anna"))
WINDOWS = "\\".join(("C:", "Users", "Anna"))

CLOUDS = {
    f"{MAC}/Library/CloudStorage/OneDrive-Uni/p.orgseg": "OneDrive",
    f"{MAC}/Library/CloudStorage/GoogleDrive-a@b.org/My Drive/p.orgseg": "Google Drive",
    f"{MAC}/Library/CloudStorage/ProtonDrive-a/p.orgseg": "ProtonDrive",
    f"{MAC}/Library/Mobile Documents/com~apple~CloudDocs/p.orgseg": "iCloud Drive",
    "/home/anna/Dropbox/cells/p.orgseg": "Dropbox",
    "/home/anna/Dropbox (Lab)/p.orgseg": "Dropbox",
    "/home/anna/Nextcloud/p.orgseg": "Nextcloud",
    rf"{WINDOWS}\OneDrive - University of X\Bilder\p.orgseg": "OneDrive",
    rf"{WINDOWS}\iCloudDrive\p.orgseg": "iCloud Drive",
    r"G:\My Drive\p.orgseg": "Google Drive",
    "/home/anna/dropboxes/p.orgseg": "",
    "/home/anna/OneDriveway/p.orgseg": "",
    "/home/anna/data/my drive/p.orgseg": "",
    "/home/anna/data/Dropbox": "",  # the file itself is called so
    "/data/p.orgseg": "",
}


@pytest.mark.parametrize("path", CLOUDS)
def test_cloud_folders_are_known_by_their_names(path):
    kind = PureWindowsPath if "\\" in path else PurePosixPath
    assert places.cloud_service(kind(path)) == CLOUDS[path]


def test_the_warning_says_what_to_do(tmp_path):
    folder = tmp_path / "Dropbox"
    folder.mkdir()
    warning = places.cloud_warning(folder / "p.orgseg")
    assert "“p.orgseg” lies in a folder of Dropbox" in warning
    assert "one computer at a time" in warning
    assert places.cloud_warning(tmp_path / "p.orgseg") == ""
    if os.name != "nt":
        (tmp_path / "data").symlink_to(folder)
        assert "Dropbox" in places.cloud_warning(tmp_path / "data" / "p.orgseg")


def test_files_that_windows_keeps_in_the_cloud(tmp_path, monkeypatch):
    class Status:
        st_file_attributes = 0x0040_0020

    monkeypatch.setattr(places.os, "stat", lambda *_, **__: Status())
    assert "a cloud service" in places.cloud_warning(tmp_path / "p.orgseg")
    Status.st_file_attributes = 0x20
    assert places.cloud_warning(tmp_path / "p.orgseg") == ""
