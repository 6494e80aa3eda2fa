"""A Debian with nothing in it, in a folder: made with debootstrap, entered with chroot.

The mounts it needs are made in a mount namespace of its own (`in_namespaces`), which ends with the
last process in it: whatever kills the script, no mount, no process and no virtual screen is left,
and what removes the folder afterwards cannot reach through a mount into the real system.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FrameType

USER = "anna"
LIBRARY_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
NEEDED = {
    "debootstrap": "debootstrap", "unshare": "util-linux", "chroot": "coreutils",
    "Xvfb": "xvfb", "xdotool": "xdotool", "import": "imagemagick", "convert": "imagemagick",
    "tar": "tar", "zstd": "zstd",
}  # fmt: skip
"""Programs of this computer, and the Debian packages that have them."""


def missing_here() -> str:
    """Why this computer cannot do it, in a sentence; or nothing."""
    if not sys.platform.startswith("linux"):
        return "This needs Linux."
    if os.geteuid() != 0:
        return "This must be run by root: only root may make a system in a folder and enter it."
    packages = sorted({package for name, package in NEEDED.items() if shutil.which(name) is None})
    if packages:
        return f"This computer lacks: {', '.join(packages)}. apt-get install {' '.join(packages)}"
    return ""


def in_namespaces(command: Sequence[object], *, prefix: str) -> int:
    """Run a command that gets a folder as its last word, with processes and mounts of its own.

    The folder is removed at the end, also after SIGTERM, SIGINT and SIGHUP. After SIGKILL its files
    stay, but nothing that is mounted or that runs.

    Returns
    -------
    Exit code of the command.
    """

    def stop(number: int, frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, stop)
    folder = Path(tempfile.mkdtemp(prefix=prefix))
    # The shell is process 1 there: it stays, and takes in what loses its parent.
    words = [
        "unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc",
        "sh", "-c", '"$@"; exit $?', "sh", *command, folder,
    ]  # fmt: skip
    started = subprocess.Popen([str(word) for word in words], stdin=subprocess.DEVNULL)
    try:
        return started.wait()
    finally:
        started.kill()
        started.wait()
        _remove(folder)


def _remove(folder: Path) -> None:
    for _ in range(20):  # processes that were killed just now may still write
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists():
            return
        time.sleep(0.25)
    print(f"{folder} could not be removed.", file=sys.stderr)


class BareRoot:
    """The system in the folder.

    Attributes
    ----------
    folder
        Its ``/``.
    home
        The user's folder, seen from outside.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = folder / "home" / USER

    def make(self, suite: str, mirror: str, base: Path | None, apt_conf: Path | None) -> None:
        """Fill the folder.

        Parameters
        ----------
        suite, mirror
            Of debootstrap.
        base
            An archive of such a system, to save minutes; written when it is not there.
        apt_conf
            Settings of apt that this computer needs, such as a proxy.
        """
        self.folder.mkdir(parents=True)
        if base is not None and base.is_file():
            _do("tar", "--zstd", "-xpf", base, "-C", self.folder)
        else:
            _do("debootstrap", "--variant=minbase", suite, self.folder, mirror)
            if base is not None:
                _do("tar", "-I", "zstd -1", "-cpf", base, "-C", self.folder, ".")
        shutil.copyfile("/etc/resolv.conf", self.folder / "etc/resolv.conf")
        if apt_conf is not None:
            shutil.copy(apt_conf, self.folder / "etc/apt/apt.conf.d")

    @contextlib.contextmanager
    def entered(self) -> Iterator[None]:
        """With what programs expect of a system: processes, devices, the way to the screen."""
        with contextlib.ExitStack() as stack:
            for words, place in (
                (("-t", "proc", "proc"), "proc"),
                (("--rbind", "/dev"), "dev"),
                (("--rbind", "/sys"), "sys"),
                (("--bind", "/tmp/.X11-unix"), "tmp/.X11-unix"),
            ):
                target = self.folder / place
                target.mkdir(parents=True, exist_ok=True)
                _do("mount", *words, target)
                stack.callback(_try, "umount", "--recursive", "--lazy", target)
            yield

    def run(self, *command: object) -> str:
        """As root, with the network; what it prints."""
        own = {"PATH": LIBRARY_PATH, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"}
        return _do("chroot", self.folder, "env", "-i", *_pairs(own), *command)

    def add_user(self) -> None:
        """Somebody new."""
        self.run("useradd", "--create-home", "--shell", "/bin/bash", USER)

    def as_user(self, *command: object, display: str = "") -> list[str]:
        """The command line that runs something for the user: no network, an empty environment."""
        own = {"HOME": f"/home/{USER}", "USER": USER, "LOGNAME": USER, "LANG": "C.UTF-8"}
        own |= {"PATH": "/usr/local/bin:/usr/bin:/bin", "DISPLAY": display}
        words = (
            "unshare", "--net", "--", "chroot", f"--userspec={USER}:{USER}", self.folder,
            "env", "-i", f"--chdir=/home/{USER}", *_pairs(own), *command,
        )  # fmt: skip
        return [str(word) for word in words]

    def user_run(self, *command: object) -> str:
        """What the user's command prints."""
        return _do(*self.as_user(*command))

    def processes(self, *, job: bool) -> list[int]:
        """Process ids of the app: its windows, or the jobs they started."""
        found = []
        for place in Path("/proc").iterdir():
            if not place.name.isdecimal():
                continue
            with contextlib.suppress(OSError):
                words = (place / "cmdline").read_bytes().split(b"\0")
                program = os.readlink(place / "exe")
                if program.endswith("/orgseg/orgseg") and (b"--job" in words) == job:
                    found.append(int(place.name))
        return sorted(found)


def _pairs(names: dict[str, str]) -> list[str]:
    return [f"{name}={value}" for name, value in names.items() if value]


def _do(*command: object) -> str:
    """Run a program; raises RuntimeError with what it said when it ends badly."""
    words = [str(word) for word in command]
    done = subprocess.run(words, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip())[-2000:]
        raise RuntimeError(f"{' '.join(words)} ended with {done.returncode}: {said}")
    return done.stdout


def _try(*command: object) -> None:
    subprocess.run([str(word) for word in command], capture_output=True, check=False)
