"""``ensemble``: several runs of a project decide together, as one more run."""

from __future__ import annotations

from argparse import Namespace

from orgseg_app.commands.console import CommandError, note, out, out_json, score, table, warn
from orgseg_app.commands.following import follow
from orgseg_app.commands.packed import project_with_runs
from orgseg_app.commands.training import tell_end
from orgseg_app.runs import launcher
from orgseg_app.runs.ensembles import facts_of, prepare_ensemble
from orgseg_app.runs.folder import RunFolder, find_run


def run(asked: Namespace) -> int:
    """Make an ensemble and follow its job, or leave it to itself."""
    from orgseg_app.files.project_file import ProjectFile

    path = project_with_runs(asked.project)
    names = [name.strip() for name in asked.runs.split(",") if name.strip()]
    if not names:
        raise CommandError(f'Name the runs, for example --runs A,B,C; see: orgseg runs "{path}".')
    members = [find_run(path, name) for name in names]
    with ProjectFile.open(path, read_only=True) as project_file:
        made = prepare_ensemble(
            project_file, members, name=asked.name or None, how=asked.how, turns=asked.turns
        )
        classes = {str(c.class_id): c.name for c in project_file.project.classes if c.class_id > 1}
    for sentence in made.warnings:
        warn(sentence)
    if not asked.json:
        note(f"Ensemble {made.name} ({made.run_id}) of {', '.join(run.name for run in members)}")
    launcher.start(made)
    if asked.detach:
        if asked.json:
            facts = {"event": "state", "state": "queued", "run": made.run_id}
            out_json(facts | {"name": made.name, "path": str(made.path)})
        else:
            out(f'{made.run_id}  started; see: orgseg runs "{path}"')
        return 0
    last = follow(made, title=made.name, json=asked.json)
    tell_end(made, last, classes, quiet=asked.json)
    if not asked.json:
        _show(made)
    return 0


def _show(made: RunFolder) -> None:
    """The members, best first, with what each is worth alone and with those above it."""
    facts = facts_of(made)
    rows = [["", "model", "validation IoU alone", "with those above"]]
    rows += [
        ["*" if m.is_used else "", m.name, score(m.validation), score(m.together)]
        for m in facts.members
    ]
    out(table(rows, right=[2, 3]))
    if facts.k:
        out(f"* decide together ({facts.how}); chosen on the validation images only.")
