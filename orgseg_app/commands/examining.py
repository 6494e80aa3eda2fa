"""``examine``: which levels a trained network relies on, and how much noise it bears."""

from __future__ import annotations

from argparse import Namespace

from orgseg_app.commands.console import CommandError, note, out, out_json, score, table, warn
from orgseg_app.commands.following import follow
from orgseg_app.commands.packed import project_with_runs
from orgseg_app.runs import launcher
from orgseg_app.runs.examination import NOISE, SCORES, SNR_DB, Examination
from orgseg_app.runs.examining import prepare_examination, read_examination
from orgseg_app.runs.folder import find_run


def run(asked: Namespace) -> int:
    """Examine a run's model, follow the job, and print what it found out."""
    from orgseg_app.files.project_file import ProjectFile

    path = project_with_runs(asked.project)
    chosen = find_run(path, asked.run)
    with ProjectFile.open(path, read_only=True) as project_file:
        job = prepare_examination(
            project_file,
            chosen,
            asked.what,
            split=asked.split,
            snr_db=_ratios(asked.snr) if asked.what == NOISE else (),
            seed=asked.seed,
        )
    launcher.start(job)
    last = follow(job, title=job.name, json=asked.json)
    found = read_examination(job)
    if last["event"] != "finished" or found is None:
        message = str(last.get("message") or "")
        raise CommandError(message or f'"{job.name}" ended early; its log is {job.log_path}.')
    if asked.json:
        out_json(found.to_dict() | {"path": str(job.path)})
    else:
        _show(found)
        note(f"Kept in {job.path}.")
    return 0


def _ratios(text: str) -> tuple[float, ...]:
    """Signal-to-noise ratios that were typed; the usual ones of nothing."""
    try:
        found = tuple(float(part) for part in text.split(",") if part.strip())
    except ValueError:
        raise CommandError(
            f'Signal-to-noise ratios are numbers in dB, such as --snr 30,20,10, not "{text}".'
        ) from None
    return found or SNR_DB


def _show(found: Examination) -> None:
    count = len(found.intact.images)
    out(f"Pooled over {count} {found.split} image{'' if count == 1 else 's'}, mean of classes:")
    rows = [["", *SCORES.values(), "IoU lost"]]
    for condition in (found.intact, *found.conditions):
        figures = [score(condition.score(name)) for name in SCORES]
        lost = "" if condition is found.intact else score(found.drop(condition, "iou"))
        rows.append([condition.words, *figures, lost])
    out(table(rows, right=range(1, len(rows[0]))))
    out()
    for sentence in found.sentences():
        out(sentence)
    for reason in found.refused:
        warn(reason)
