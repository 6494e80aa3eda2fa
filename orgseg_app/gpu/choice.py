"""Which program computes: this one, or the one of the GPU pack once it has passed its test.

A pack is used when it belongs to this version and its self-test has passed with it. Whatever goes
wrong later (the test with a new driver, a program that does not start) is kept with its reason, and
the processor computes until a test passes again.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping

import msgspec

from orgseg_app.files.atomic import replacing
from orgseg_app.gpu.install import Installed, gpu_dir, installed
from orgseg_app.program import program_command

_TEST_FILE = "self_test.json"
_LOADER_VARIABLES = ("LD_LIBRARY_PATH", "LIBPATH")


class SelfTest(msgspec.Struct, frozen=True):
    """How the last self-test went.

    Attributes
    ----------
    passed
        Whether the card may be used.
    reason
        Why not; the end of a sentence, "" when it passed.
    device
        What was tested, "NVIDIA H100 · bf16".
    times_cpu
        How many times as fast as the processor a training step was; 0 unknown.
    seconds
        How long the test took.
    pack
        SHA-256 of the pack that was tested; "" for this program itself.
    driver
        Version of the driver at the time.
    when
        Seconds since 1970.
    """

    passed: bool
    reason: str = ""
    device: str = ""
    times_cpu: float = 0.0
    seconds: float = 0.0
    pack: str = ""
    driver: str = ""
    when: float = 0.0


def remember(test: SelfTest) -> None:
    """Keep how a test went.

    Raises
    ------
    OSError
        When it cannot be written.
    """
    gpu_dir().mkdir(parents=True, exist_ok=True)
    with replacing(gpu_dir() / _TEST_FILE) as draft:
        draft.write_bytes(msgspec.json.encode(test))


def remembered() -> SelfTest | None:
    """How the last test went, of whatever was installed then."""
    try:
        return msgspec.json.decode((gpu_dir() / _TEST_FILE).read_bytes(), type=SelfTest)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return None


def last_test(pack: Installed | None) -> SelfTest | None:
    """The last test, if it was this pack's; with None, if it was this program's own."""
    test = remembered()
    wanted = pack.sha256 if pack is not None else ""
    return test if test is not None and test.pack == wanted else None


def chosen_pack() -> Installed | None:
    """The pack whose program computes; None where this program does it itself."""
    if os.environ.get("ORGSEG_DEVICE", "").lower() == "cpu":
        return None
    pack = installed()
    if pack is None or not pack.fits or not pack.is_whole:
        return None
    test = last_test(pack)
    return pack if test is not None and test.passed else None


def worker_command(*arguments: str) -> list[str]:
    """How the program that computes is started: the pack's, or this one."""
    pack = chosen_pack()
    return [str(pack.program), *arguments] if pack is not None else program_command(*arguments)


def give_up_on(command: list[str], why: str) -> bool:
    """Stop using the pack because its program did not start; False when it was not its program."""
    pack = chosen_pack()
    if pack is None or command[:1] != [str(pack.program)]:
        return False
    test = last_test(pack)
    driver = test.driver if test is not None else ""
    try:
        remember(SelfTest(False, why, pack=pack.sha256, driver=driver, when=time.time()))
    except OSError:
        return False
    return True


def as_its_own(environment: Mapping[str, str]) -> dict[str, str]:
    """An environment in which another frozen program finds its own libraries, and not ours.

    PyInstaller's programs pass on where their libraries lie (its manual, "Launching external
    programs"); a pack that found the PyTorch of the app would compute on the processor.
    """
    found = {**environment, "PYINSTALLER_RESET_ENVIRONMENT": "1"}
    for name in _LOADER_VARIABLES:
        before = found.pop(f"{name}_ORIG", None)
        if before is not None:
            found[name] = before
        elif "_PYI_ARCHIVE_FILE" in environment:
            found.pop(name, None)
    return found
