"""``train``, ``runs``, ``stop``, ``pause``, ``resume``: the same jobs as the window's."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orgseg_app.commands.console import (
    CommandError,
    by_class,
    note,
    out,
    out_json,
    score,
    table,
    tell_notices,
    warn,
)
from orgseg_app.commands.following import follow
from orgseg_app.commands.packed import project_with_runs
from orgseg_app.commands.project import existing_project
from orgseg_app.runs import launcher
from orgseg_app.runs.folder import COMPARED_KINDS, RunFolder, find_run, list_runs
from orgseg_app.runs.made_elsewhere import caution_of
from orgseg_app.runs.model_facts import facts_by_run

if TYPE_CHECKING:
    from orgseg_app.files.project_file import ProjectFile
    from orgseg_app.runs.recipes.schema import Recipe


def train(asked: Namespace) -> int:
    """Train on a project and follow the run, or leave it to itself."""
    from orgseg_app.files.project_file import ProjectFile
    from orgseg_app.runs.recipes.reading import load_recipe
    from orgseg_app.runs.recipes.settings import with_settings
    from orgseg_app.runs.recipes.wording import describe

    path = existing_project(asked.project)
    recipe = with_settings(load_recipe(asked.recipe), asked.settings)
    with ProjectFile.open(path, read_only=True) as project_file:
        tell_notices(project_file.notices)
        prepared = _prepared(project_file, recipe, asked)
        names = {str(c.class_id): c.name for c in project_file.project.classes if c.class_id > 1}
    for sentence in prepared[0].warnings:
        warn(sentence)
    for run in prepared:
        if not asked.json:
            note(f"Run {run.name} ({run.run_id}): {describe(run.recipe or recipe)}")
        if not asked.prepare:
            launcher.start(run)  # those after the first wait for their turn
    if asked.detach or asked.prepare:
        for run in prepared:
            _tell_start(run, path, asked)
        return 0
    failures = []
    for run in prepared:
        last = follow(run, title=run.name, json=asked.json)
        try:
            tell_end(run, last, names, quiet=asked.json)
        except CommandError as error:
            if len(prepared) == 1:
                raise
            failures.append(f"{run.name}: {error}")
    if failures:
        raise CommandError(" ".join(failures))
    if asked.seeds and not asked.json:
        runs = ",".join(run.run_id for run in prepared)
        note(f'Together they decide better: orgseg ensemble "{path}" --runs {runs}')
    return 0


def _prepared(project_file: ProjectFile, recipe: Recipe, asked: Namespace) -> list[RunFolder]:
    """The run folders of what is asked for: one, or one a fold or seed."""
    from orgseg_app.commands.predicting import find_model
    from orgseg_app.runs.folds import prepare_folds
    from orgseg_app.runs.seeds import prepare_seeds
    from orgseg_app.runs.training import prepare_training

    if asked.folds and asked.seeds:
        raise CommandError("Several seeds and folds are two questions. Leave out one of them.")
    if asked.corrections and (asked.folds or asked.seeds or not asked.start_from):
        raise CommandError(
            "Learning from corrections takes one model to go on from: give it with --from, and "
            "leave out --seeds and --folds."
        )
    if asked.folds:
        if asked.start_from:
            raise CommandError(
                "Folds that go on from a model that may have seen all images say nothing. Leave "
                "out --from, or --folds."
            )
        return prepare_folds(project_file, recipe, asked.folds, asked.name or None)
    start, corrections = None, None
    if asked.corrections:
        from orgseg_app.core.weighting.mistakes import CorrectionSettings

        corrections = CorrectionSettings(mistakes=asked.corrections)
    if asked.start_from:
        start = find_model(asked.start_from, [asked.project])
    if asked.seeds:
        return prepare_seeds(
            project_file,
            recipe,
            asked.seeds,
            asked.name or None,
            start_from=start,
            blocks=asked.blocks,
        )
    return [
        prepare_training(
            project_file,
            recipe,
            asked.name or None,
            start_from=start,
            blocks=asked.blocks,
            corrections=corrections,
        )
    ]


def _tell_start(run: RunFolder, path: Path, asked: Namespace) -> None:
    if asked.json:
        facts = {"event": "state", "state": "queued", "run": run.run_id}
        out_json(facts | {"name": run.name, "path": str(run.path)})
    elif asked.prepare:
        out(f'{run.run_id}  ready: torchrun --nproc-per-node=N main.py --job "{run.path}"')
    else:
        out(f'{run.run_id}  started; see: orgseg runs "{path}"')


def tell_end(run: RunFolder, last: dict[str, Any], names: dict[str, str], *, quiet: bool) -> None:
    """Print what came of a run with a model.

    Raises
    ------
    CommandError
        When it did not finish.
    """
    message = str(last.get("message") or "")
    if last["event"] != "finished":
        raise CommandError(
            message or f'The run "{run.name}" ended ({last["event"]}); its log is {run.log_path}.'
        )
    if quiet:
        return
    out(f"{run.run_id}  {run.name}: {message}")
    for split in ("validation", "test"):
        iou = (last.get(split) or {}).get("iou") or {}
        shown = {names[key]: value for key, value in iou.items() if key in names}
        if shown:
            out(f"  {split} IoU: {by_class(shown)}")
    for refused in last.get("refused") or ():
        warn(str(refused.get("reason") or ""))


def named_scores(run: RunFolder, split: str) -> dict[str, Any]:
    """Pooled scores of a run on a split, by class name; empty where there are none."""
    from orgseg_app.runs.comparison import compare

    pooled = compare(None, [run], split).runs[0].pooled
    return pooled.to_dict() if pooled is not None else {}


def runs(asked: Namespace) -> int:
    """List the runs of a project."""
    path = project_with_runs(asked.project)
    listed = list_runs(path)
    found = [run for run in listed if run.kind in COMPARED_KINDS]
    if asked.json:
        facts = facts_by_run(listed)
        for run in found:
            out_json(
                {
                    "id": run.run_id,
                    "name": run.name,
                    "path": str(run.path),
                    "kind": run.kind,
                    "state": run.state,
                    "recipe": run.request.get("recipe"),
                    **_members(run),
                    "validation": named_scores(run, "validation"),
                    "test": named_scores(run, "test"),
                    "refused": list(_refusals(run)),
                    "created": run.created,
                    "facts": facts[run.run_id].to_dict() if run.run_id in facts else None,
                }
            )
        return 0
    if not found:
        out(f'{path.name} has no runs yet. Start one with: orgseg train "{path}".')
        return 0
    rows = [["id", "name", "state", "validation IoU", "test IoU"]]
    for run in found:
        figures = [
            score(named_scores(run, split).get("mean_iou")) for split in ("validation", "test")
        ]
        rows.append([run.run_id, run.name, run.state, *figures])
    out(table(rows, right=[3, 4]))
    for run in found:
        for reason in _refusals(run):
            warn(f'"{run.name}": {reason}')
        if caution := caution_of(run):
            warn(caution)
    return 0


def _members(run: RunFolder) -> dict[str, Any]:
    """What an ensemble is made of, for ``runs --json``; nothing for a training."""
    from orgseg_app.runs.ensembles import KIND, facts_of

    if run.kind != KIND:
        return {}
    facts = facts_of(run)
    members = [
        {"id": m.run_id, "name": m.name, "validation": m.validation, "is_used": m.is_used}
        for m in facts.members
    ]
    return {"members": members, "k": facts.k or None, "how": facts.how, "turns": facts.turns}


def _refusals(run: RunFolder) -> Iterable[str]:
    """Why test images of a run have no score, a sentence each."""
    from orgseg_app.runs.withheld import refused_in

    return dict.fromkeys(refused_in(run.metrics(), "test").values())


def stop(asked: Namespace) -> int:
    """Ask a run to end soon, or end it at once."""
    run = find_run(existing_project(asked.project), asked.run)
    if asked.now:
        launcher.kill(run)
        out(f"{run.run_id}  {run.name}: ended")
    else:
        launcher.request_stop(run)
        out(f"{run.run_id}  {run.name}: asked to stop; what it has learnt is kept")
    return 0


def pause(asked: Namespace) -> int:
    """Let a run wait."""
    run = find_run(existing_project(asked.project), asked.run)
    launcher.request_pause(run)
    out(f"{run.run_id}  {run.name}: asked to pause")
    return 0


def resume(asked: Namespace) -> int:
    """Let a paused run go on, or start a stopped, failed or lost one again where it was."""
    run = find_run(project_with_runs(asked.project), asked.run)
    launcher.request_resume(run)
    out(f"{run.run_id}  {run.name}: goes on")
    return 0
