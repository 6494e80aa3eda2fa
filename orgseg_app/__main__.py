"""``python -m orgseg_app``: the command line, or one job of the training child.

``--job RUN_FOLDER`` stays out of the command line's own parser because a job must not import the
window's modules, nor show up in anybody's help.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command, or a job when the arguments are ``--job RUN_FOLDER``.

    Parameters
    ----------
    arguments
        Words after the program's name; None takes them from the process.

    Returns
    -------
    int
        Exit code: 0 done, 1 failed, 2 wrong usage.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    if words[:1] == ["--job"]:
        if len(words) != 2:
            print("orgseg: --job needs one run folder.", file=sys.stderr)
            return 2
        from orgseg_app.learn.job import run_job

        return run_job(words[1])
    from orgseg_app.cli import main as run_command

    return run_command(words)


if __name__ == "__main__":
    sys.exit(main())
