"""The door for projects that this computer does not know: looked at by a child process first.

HDF5 has errors that a file made for it can use: to crash the program that opens it, to hang it or
to fill its memory. So a stranger's file is opened by a throw-away child (`gate_child`) before this
program touches it: the child walks through all objects, refuses what
`orgseg_app.files.safety.audit` refuses, and reads what the window will read first. Only when it
comes back with a good word is the file opened here. Files that this computer wrote or has let in
before skip the door (`known_files`).
"""

from __future__ import annotations

import base64
import logging
import os
from collections.abc import Sequence
from pathlib import Path

from orgseg_app.files.errors import ProjectError
from orgseg_app.files.names import clean_text
from orgseg_app.files.safety import known_files
from orgseg_app.files.safety.audit import check_start
from orgseg_app.files.safety.child import Child, ChildError, ChildStartError, Limits

LOG = logging.getLogger(__name__)

ARGUMENT = "--gate"
"""What this program is started with to be the child."""

MEMORY_BUDGET = 320 * 2**20
"""Bytes the child may take to look at a file, beyond what it takes itself."""

_OWN_MEMORY = 90 * 2**20  # Python, NumPy and HDF5, resident
_CPU_S = 15.0
_CPU_BYTES_S = 10e6  # slower than inflating anything
_WALL_S = 60.0
_WALL_BYTES_S = 1e6  # a slow network drive
_MAX_SENTENCE = 1000
_PAGES_A_LINE = 64

Pages = Sequence[tuple[int, bytes]]


def admit(path: Path, *, whole: bool = False, pages: Pages = ()) -> None:
    """Let a file in, or refuse it; nothing of it is opened in this process.

    Parameters
    ----------
    path
        An HDF5 file of OrgSeg's: a project, or what lies in the folder of a run.
    whole
        Read every block of it as well, whether or not the file is known. A block that cannot be
        read is no reason to refuse: it is named when it is needed, and the rest is whole.
    pages
        Number and bytes of pages that stand for those on the disk: a save that was decided and is
        not applied (`orgseg_app.files.store.paged_file`). What they make of a file is not known.

    Raises
    ------
    ProjectError
        One sentence: not HDF5, cut off, damaged, what projects never hold; or the child crashed,
        took too much memory or took too long.
    """
    path = Path(os.path.abspath(path))
    if not whole and not pages and known_files.is_known(path):
        return
    check_start(path)
    mark = known_files.mark_of(path)
    verdict = _ask(path, whole=whole, size=mark.size if mark else 0, pages=pages)
    refusal = verdict.get("refused")
    if refusal is not None:
        raise ProjectError(clean_text(str(refusal), _MAX_SENTENCE))
    if verdict.get("admitted") is not True:
        raise _broke_off(path, "the process that looked at it talked nonsense")
    if mark is not None and not pages:
        known_files.remember(path, mark)


def limits_for(size: int, *, whole: bool = False, pages: Pages = ()) -> Limits:
    """What looking at a file of ``size`` bytes may cost; all of it is only read when asked for."""
    share = size if whole else size / 100
    return Limits(
        memory=MEMORY_BUDGET + _OWN_MEMORY + 2 * sum(len(page) for _, page in pages),
        cpu_s=_CPU_S + share / _CPU_BYTES_S,
        wall_s=_WALL_S + share / _WALL_BYTES_S,
    )


def _ask(path: Path, *, whole: bool, size: int, pages: Pages) -> dict[str, object]:
    limits = limits_for(size, whole=whole, pages=pages)
    question = {
        "path": os.fspath(path),
        "whole": whole,
        "memory": MEMORY_BUDGET,
        "cpu_s": limits.cpu_s,
    }
    try:
        child = Child(ARGUMENT)
        try:
            for start in range(0, len(pages), _PAGES_A_LINE):
                some = pages[start : start + _PAGES_A_LINE]
                child.send([{"pages": [(n, base64.b64encode(p).decode()) for n, p in some]}])
            return child.ask(question, limits)
        finally:
            child.close()
    except ChildStartError as error:
        raise ProjectError(
            f"“{path.name}” was not opened. OrgSeg looks at files it does not know in a process of "
            f"their own first, and {error.reason}. It was left as it is; start OrgSeg again."
        ) from error
    except ChildError as error:
        LOG.warning("The gate refused %s: %s.", path, error.reason)
        raise _broke_off(path, error.reason) from error


def _broke_off(path: Path, reason: str) -> ProjectError:
    return ProjectError(
        f"“{path.name}” was not opened. OrgSeg looks at files it does not know in a process of "
        f"their own first, and {reason}: the file is damaged, or was made to do harm. It was left "
        "as it is; ask for another copy, or open a backup."
    )
