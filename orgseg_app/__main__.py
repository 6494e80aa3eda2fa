"""``python -m orgseg_app``: the command line, or what this program starts itself again for.

``--job RUN_FOLDER`` (a training job), ``--study FOLDER`` (what drives a study), ``--gate`` and
``--read`` (children that look at strangers' files) stay out of the command line's own parser
because they must not import the window's modules, nor show up in anybody's help.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command, or what a child of this program is for (see the module).

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
    if words[:1] == ["--study"]:
        if len(words) != 2:
            print("orgseg: --study needs one folder of a study.", file=sys.stderr)
            return 2
        from orgseg_app.runs.studies.queue import run_study

        return run_study(words[1])
    if words == ["--gate"]:
        from orgseg_app.files.safety.gate_child import run_gate

        return run_gate()
    if words == ["--read"]:
        from orgseg_app.files.safety.reading_child import run_reader

        return run_reader()
    from orgseg_app.cli import main as run_command

    return run_command(words)


if __name__ == "__main__":
    sys.exit(main())
