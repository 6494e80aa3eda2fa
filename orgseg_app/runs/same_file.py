"""One file under two names: what is only read need not lie on the disk twice."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from orgseg_app.files.atomic import replacing


def same_file(source: Path, target: Path) -> None:
    """Give a file another name; a copy where the file system knows no such thing.

    Only for files that are replaced as a whole and never written into, as snapshots and
    predictions are: then nobody can change it for the others.

    Raises
    ------
    OSError
        When there is no such file, or the disk refuses.
    """
    try:
        os.link(source, target)
    except OSError:
        with replacing(target) as draft:
            shutil.copyfile(source, draft)
