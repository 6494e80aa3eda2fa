"""``study``: a grid of recipes on one project, started, followed, asked and read."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orgseg_app.commands.console import (
    CommandError,
    Progress,
    duration,
    note,
    out,
    out_json,
    plural,
    table,
    tell_notices,
    warn,
)
from orgseg_app.commands.following import watch
from orgseg_app.commands.packed import project_with_runs
from orgseg_app.commands.reporting import check_targets, is_asked_for, write_reports
from orgseg_app.runs.studies import queue
from orgseg_app.runs.studies.definition import load_study, ready_made, titles
from orgseg_app.runs.studies.folder import StudyFolder, find_study, list_studies

if TYPE_CHECKING:
    from orgseg_app.files.project_file import ProjectFile
    from orgseg_app.runs.studies.cells import Grid
    from orgseg_app.runs.studies.definition import Study
    from orgseg_app.runs.studies.effects import Spread
    from orgseg_app.runs.studies.estimate import StudyEstimate
    from orgseg_app.runs.studies.results import StudyResults

_SCORES = {"mean_iou": "mean IoU", "mean_dice": "mean Dice (F1)"}


def run(asked: Namespace) -> int:
    """Do what is asked about a study."""
    if is_asked_for(asked) and asked.results is None:
        what = "--out" if asked.out else "--report"
        raise CommandError(f"{what} writes results: orgseg study PROJECT --results --out FILE.html")
    path = project_with_runs(asked.project)
    for name, act in (("resume", _resume), ("pause", _pause), ("stop", _stop)):
        if (text := getattr(asked, name)) is not None:
            return act(find_study(path, text or asked.study), asked)
    if asked.results is not None:
        return _results(path, find_study(path, asked.results or asked.study), asked)
    if asked.list:
        return _list(path, asked)
    if not asked.study:
        raise CommandError(
            "Name a study: a TOML file, or one that is ready-made "
            f"({', '.join(ready_made())}); --list shows those of the project."
        )
    study = load_study(asked.study)
    return _rehearse(path, study, asked) if asked.dry_run else _begin(path, study, asked)


def _begin(path: Path, study: Study, asked: Namespace) -> int:
    """Make the study, start its driver, and follow it unless told otherwise."""
    from orgseg_app.files.project_file import ProjectFile
    from orgseg_app.runs.studies.preparing import prepare_study

    with ProjectFile.open(path, read_only=True) as project_file:
        tell_notices(project_file.notices)
        folder = prepare_study(project_file, study)
        estimate = _estimate(project_file, folder)
    for sentence in folder.warnings:
        warn(sentence)
    for refused in folder.refused:
        warn(f"Left out: {titles(refused.places)}. {refused.reason}")
    if not asked.json:
        count = plural(len(folder.cells), "run")
        note(f"Study {folder.name} ({folder.study_id}): {count}; {_words(estimate)}")
    _warn_of_memory(estimate)
    queue.start(folder)
    return _started(folder, asked)


def _started(folder: StudyFolder, asked: Namespace) -> int:
    if not asked.detach:
        return _follow(folder, asked)
    if asked.json:
        facts = {"event": "state", "state": "queued", "study": folder.study_id}
        out_json(facts | {"name": folder.name, "path": str(folder.path)})
    else:
        out(f"{folder.study_id}  started; see: {_command(asked, 'results', folder)}")
    return 0


def _command(asked: Namespace, act: str, folder: StudyFolder) -> str:
    return f'orgseg study "{asked.project}" --{act} {folder.study_id}'


def _rehearse(path: Path, study: Study, asked: Namespace) -> int:
    """Say what a study would train, what it leaves out, and what it takes; make nothing."""
    from orgseg_app.files.project_file import ProjectFile
    from orgseg_app.runs.studies.cells import spell_out
    from orgseg_app.runs.studies.preparing import check_project

    grid = spell_out(study)
    with ProjectFile.open(path, read_only=True) as project_file:
        tell_notices(project_file.notices)
        warnings, image_ids, _ = check_project(project_file, study)
        estimate = _estimate(project_file, grid)
    for sentence in warnings:
        warn(sentence)
    if asked.json:
        _rehearse_in_json(study, grid, estimate, len(image_ids))
        return 0
    if study.question:
        out(study.question)
    rows = [["", "run", "time"]]
    for cell, each in zip(grid.cells, estimate.cells, strict=True):
        rows.append([str(cell.number), cell.title, _span(each.shortest, each.longest)])
    out(table(rows, right=[0]))
    for refused in grid.refused:
        out(f"Left out: {titles(refused.places)}. {refused.reason}")
    images = plural(len(image_ids), "image")
    out(f"{plural(len(grid.cells), 'run')} on {images}; {_words(estimate)}")
    _warn_of_memory(estimate)
    return 0


def _rehearse_in_json(study: Study, grid: Grid, estimate: StudyEstimate, images: int) -> None:
    from orgseg_app.runs.recipes.reading import recipe_to_builtins

    for cell, each in zip(grid.cells, estimate.cells, strict=True):
        facts = {"cell": cell.cell_id, "number": cell.number, "title": cell.title}
        facts |= {"places": dict(cell.places), "recipe": recipe_to_builtins(cell.recipe)}
        facts |= {"seconds_shortest": each.shortest, "seconds_longest": each.longest}
        out_json(facts)
    refused = [{"places": dict(item.places), "reason": item.reason} for item in grid.refused]
    total = {"name": study.name, "cells": len(grid.cells), "images": images, "refused": refused}
    out_json(total | estimate.to_dict())


def _estimate(project_file: ProjectFile, what: StudyFolder | Grid) -> StudyEstimate:
    from orgseg_app.runs.studies.estimate import earlier_speeds, estimate_study

    project = project_file.project
    channels = max((image.shape[0] for image in project.images.values()), default=1)
    return estimate_study(
        what.cells,
        earlier_speeds(project_file.path),
        channels=channels,
        classes=len(project.classes),
    )


def _words(estimate: StudyEstimate) -> str:
    text = f"{_span(*estimate.seconds)}, {estimate.memory_bytes / 1e9:.1f} GB of memory"
    if estimate.basis:
        return f"{text}, going by {', '.join(estimate.basis[:3])}"
    return f"{text}, without a graphics card"


def _warn_of_memory(estimate: StudyEstimate) -> None:
    import psutil

    there = psutil.virtual_memory().total
    if estimate.memory_bytes > 0.9 * there:
        warn(
            f"The largest run wants about {estimate.memory_bytes / 1e9:.0f} GB of memory, and this "
            f"computer has {there / 1e9:.0f}. It will learn from fewer patches at once, slowly, or "
            "fail; the others go on."
        )


def _span(shortest: float, longest: float) -> str:
    low, high = duration(shortest), duration(longest)
    return low if low == high else f"{low} to {high.removeprefix('about ')}"


# Studies that are there


def _resume(folder: StudyFolder, asked: Namespace) -> int:
    was_active = folder.is_active
    queue.request_resume(folder)
    if was_active:
        return _say(folder, "goes on", asked)
    return _started(folder, asked)


def _pause(folder: StudyFolder, asked: Namespace) -> int:
    queue.request_pause(folder)
    return _say(folder, "asked to pause", asked)


def _stop(folder: StudyFolder, asked: Namespace) -> int:
    queue.request_stop(folder)
    return _say(folder, "asked to stop; what its runs have learnt is kept", asked)


def _say(folder: StudyFolder, text: str, asked: Namespace) -> int:
    if asked.json:
        out_json({"study": folder.study_id, "name": folder.name, "message": text})
    else:
        out(f"{folder.study_id}  {folder.name}: {text}")
    return 0


def _list(path: Path, asked: Namespace) -> int:
    """The studies of a project, and those that come with OrgSeg."""
    rows = [["id", "name", "state", "finished", "runs"]]
    for folder in list_studies(path):
        finished = sum(found.state == "finished" for found in folder.runs().values())
        if asked.json:
            facts = {"study": folder.study_id, "name": folder.name, "path": str(folder.path)}
            facts |= {"state": folder.state, "question": folder.study.question}
            out_json(facts | {"cells": len(folder.cells), "finished": finished})
        rows.append(
            [folder.study_id, folder.name, folder.state, str(finished), str(len(folder.cells))]
        )
    if asked.json:
        return 0
    out(table(rows, right=[3, 4]) if len(rows) > 1 else f"{path.name} has no studies yet.")
    out("Ready-made:")
    for name in ready_made():
        study = load_study(name)
        out(f"{name}  —  {study.name} ({plural(study.size, 'run')})")
        out(f"    {study.question}")
    return 0


def _follow(folder: StudyFolder, asked: Namespace) -> int:
    """Show what a study does until its driver ends; Ctrl+C asks it to stop.

    Raises
    ------
    CommandError
        When it did not finish.
    """
    last = _last_event(folder, json=asked.json)
    message = str(last.get("message") or "")
    if last["event"] != "finished":
        what_next = ""
        if last["event"] == "stopped" or folder.state == "lost":
            what_next = f" Go on with: {_command(asked, 'resume', folder)}"
        raise CommandError((message or f"The study ended ({last['event']}).") + what_next)
    if not asked.json:
        out(f"{folder.study_id}  {folder.name}: {message}")
        note(f"See: {_command(asked, 'results', folder)}")
    return 0


def _last_event(folder: StudyFolder, *, json: bool) -> dict[str, Any]:
    return watch(
        folder,
        Progress(folder.name, quiet=json),
        lambda progress, event: _show(progress, event, len(folder.cells)),
        lambda: _lost(folder),
        json=json,
        offset=_where_it_began(folder),
    )


def _where_it_began(folder: StudyFolder) -> int:
    """Offset of the events of the newest driver: what earlier ones did is over."""
    try:
        lines = folder.events_path.read_bytes().splitlines(keepends=True)
    except OSError:
        return 0
    starts, offset = [0], 0
    for line in lines:
        if b'"starting":true' in line:
            starts.append(offset)
        offset += len(line)
    return starts[-1]


def _lost(folder: StudyFolder) -> dict[str, Any]:
    message = f'The process that drives "{folder.name}" ended without a word. Its runs are safe.'
    return {"event": "failed", "study": folder.study_id, "message": message}


def _show(progress: Progress, event: dict[str, Any], total: int) -> None:
    kind = event["event"]
    if kind == "progress":
        progress.show(event["done"], event["total"], str(event.get("item", "")))
    elif kind == "cell" and event.get("state") != "running":
        text = f"{event.get('number')} of {total}  {event.get('title')}: {event.get('state')}"
        progress.say(f"{text}. {event.get('message') or ''}".rstrip())
    elif kind == "state" and event.get("state") == "paused":
        progress.say("Paused; go on with: orgseg study PROJECT --resume")


# What came of one


def _results(path: Path, folder: StudyFolder, asked: Namespace) -> int:
    """Print the ranking, the axes, the reasons; write the reports asked for."""
    from orgseg_app.files.errors import FileError
    from orgseg_app.files.project_file import ProjectFile
    from orgseg_app.runs.reporting.study_report import make_study_report
    from orgseg_app.runs.studies.results import study_results

    check_targets(asked)
    report = None
    try:
        with ProjectFile.open(path, read_only=True) as project_file:
            results = study_results(folder, project_file)
            if is_asked_for(asked):
                report = make_study_report(results, project_file)
    except FileError as error:  # results can be read whatever became of the project
        warn(str(error))
        results = study_results(folder)
        report = make_study_report(results) if is_asked_for(asked) else None
    if asked.json:
        out_json(results.to_dict() if report is None else report.to_dict())
    else:
        _print_results(results)
    if report is not None:
        write_reports(asked, report)
    return 0


def _print_results(results: StudyResults) -> None:
    study = results.folder.study
    if study.question:
        out(study.question)
    keys = [axis.key for axis in study.axes]
    rows = [["", *keys, "validation", "runs", *(["test"] if results.test else [])]]
    for combination in results.ranking:
        places = dict(combination.places)
        row = [str(combination.rank or "–"), *(places[key] for key in keys)]
        row += [_figure(combination.validation), str(combination.validation.count)]
        row += [_figure(results.test.of(combination))] if results.test else []
        rows.append(row)
    out(f"By {_SCORES[study.score]} on the validation images:")
    out(table(rows, right=[0, *range(len(keys) + 1, len(rows[0]))]))
    rows = [["axis", "", "mean of all runs there", "runs"]]
    for effect in results.effects:
        for place, spread in effect.places:
            rows.append([effect.key, place, _figure(spread), str(spread.count)])
    if len(rows) > 1:
        out()
        out("What each axis does by itself:")
        out(table(rows, right=[2, 3]))
    _print_why(results)
    out()
    for text in (*results.notes, *(results.test.notes if results.test else ())):
        warn(text)


def _print_why(results: StudyResults) -> None:
    """Print the best beside its neighbours."""
    if not results.why or results.best is None:
        return
    rows = [["instead of", "difference", "95 % interval", "images", "better on", "verdict"]]
    for near in results.why:
        found = near.difference
        row = [f"{near.key}: {near.place} → {near.other}", f"{found.mean or 0.0:+.3f}"]
        row.append("–" if found.interval is None else "{:+.3f} … {:+.3f}".format(*found.interval))
        rows.append([*row, str(found.images), str(near.better), found.verdict])
    out()
    out(f"Why {results.best.title} is ahead, image by image (mean over repeats):")
    out(table(rows, right=[1, 2, 3, 4]))


def _figure(spread: Spread) -> str:
    if spread.mean is None:
        return "–"
    return f"{spread.mean:.3f}" + (
        f" ± {spread.deviation:.3f}" if spread.deviation is not None else ""
    )
