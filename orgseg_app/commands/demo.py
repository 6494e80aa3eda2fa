"""``demo``: the whole way on a simulated sample, from images to exported masks."""

from __future__ import annotations

import time
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orgseg_app.bootstrap import has_display
from orgseg_app.commands.comparing import baseline_for, show
from orgseg_app.commands.console import (
    CommandError,
    Progress,
    duration,
    note,
    out,
    out_json,
    plural,
    warn,
)
from orgseg_app.commands.following import follow
from orgseg_app.runs import launcher
from orgseg_app.runs.folder import RunFolder
from orgseg_app.runs.prediction import check_output_folder
from orgseg_app.runs.training import prepare_training

if TYPE_CHECKING:
    from orgseg_app.files.project_file import ProjectFile
    from orgseg_app.runs.comparison import Comparison
    from orgseg_app.runs.recipes.schema import Recipe

KIND = "er"
SIZE = (320, 320)
SEED = 7
SPLITS = ("train",) * 7 + ("validation",) * 2 + ("test",) * 3
STEPS = 300
MAX_MINUTES = 1.25
"""Each of the two trainings ends after this time at the latest, on however slow a computer."""


def run(asked: Namespace) -> int:
    """Build the sample project, train two recipes, compare them, export masks."""
    started = time.monotonic()
    folder: Path = asked.out
    check_output_folder(folder)
    path = folder / "sample.orgseg"
    with _open_sample(path, quiet=asked.json) as project_file:
        runs = [_train(project_file, recipe, json=asked.json) for recipe in demo_recipes()]
        comparison, baseline = _compare(project_file, runs, folder)
        masks = _export_masks(project_file, runs, comparison, folder / "masks")
    took = time.monotonic() - started
    if asked.json:
        out_json(_summary(folder, comparison, baseline, took))
    else:
        _tell(folder, comparison, baseline, masks, took)
    if not asked.headless:
        if has_display():
            from orgseg_app.gui.app import run as run_window

            return run_window([path])
        note("There is no display here, so the window does not open.")
    return 0


def demo_recipes() -> list[Recipe]:
    """Two recipes that differ in one choice, the loss, and end in time."""
    from orgseg_app.runs.recipes.presets import PRESETS
    from orgseg_app.runs.recipes.settings import with_settings

    limits = [f"steps={STEPS}", f"max_minutes={MAX_MINUTES}"]
    return [with_settings(PRESETS[name], limits) for name in ("fast", "fast-bce")]


def _open_sample(path: Path, *, quiet: bool) -> ProjectFile:
    """The sample project: made where it is missing, used again where it is there."""
    from orgseg_app.core.classes import ClassInfo, background
    from orgseg_app.core.image import open_array
    from orgseg_app.core.samples.catalogue import SAMPLES, STRUCTURE, simulate
    from orgseg_app.files.project_file import NewImage, ProjectFile

    if path.exists():
        if not quiet:
            note(f'"{path}" is there already and is used as it is.')
        return ProjectFile.open(path)
    sample = SAMPLES[KIND]
    classes = (background(), ClassInfo(STRUCTURE, sample.class_name, sample.colour))
    progress = Progress("Simulating images", quiet=quiet)
    images = []
    for index, split in enumerate(SPLITS):
        progress.show(index, len(SPLITS))
        made = simulate(KIND, index, SEED, SIZE)
        opened = open_array(made.name, made.pixels, pixel_size_um=made.pixel_size_um)
        images.append(NewImage(opened, split, made.mask))
    progress.clear()
    project_file = ProjectFile.create(path, classes, name=f"{sample.title} (simulated)")
    try:
        project_file.add_images(images)
        project_file.save()
    except BaseException:
        project_file.close()
        path.unlink(missing_ok=True)
        raise
    if not quiet:
        note(f"{plural(len(images), 'image')} of {sample.title} in {path}")
    return project_file


def _train(project_file: ProjectFile, recipe: Recipe, *, json: bool) -> RunFolder:
    trained = prepare_training(project_file, recipe)
    for sentence in trained.warnings:
        warn(sentence)
    launcher.start(trained)
    last = follow(trained, title=trained.name, json=json)
    if last["event"] != "finished":
        raise CommandError(f'"{trained.name}" did not finish: {last.get("message", "")}')
    return trained


def _compare(
    project_file: ProjectFile, runs: Sequence[RunFolder], folder: Path
) -> tuple[Comparison, dict[str, Any]]:
    from orgseg_app.runs.comparison import compare
    from orgseg_app.runs.reporting.report import make_report
    from orgseg_app.runs.reporting.writing import write_report

    comparison = compare(project_file, runs)
    baseline = baseline_for(project_file, comparison)
    report = make_report(
        comparison, runs, project_file=project_file, baseline=baseline, with_pictures=False
    )
    for name in ("compare.json", "compare.csv"):
        write_report(folder / name, report)
    return comparison, baseline


def _export_masks(
    project_file: ProjectFile,
    runs: Sequence[RunFolder],
    comparison: Comparison,
    folder: Path,
) -> list[Path]:
    """The masks each run predicted for the test images: ``masks/RUN/IMAGE.tif`` and ``.png``."""
    from orgseg_app.files.export import export_path, unique_names, write_mask
    from orgseg_app.files.predictions import read_prediction

    project = project_file.project
    wanted = [i for i in project.images.values() if i.name in comparison.images]
    written: list[Path] = []
    for trained, stem in zip(runs, unique_names(run.name for run in runs), strict=True):
        target = folder / stem
        target.mkdir(parents=True, exist_ok=True)
        for image in wanted:
            mask = read_prediction(trained.predictions_path, image.image_id).mask
            for form in ("tiff", "png"):
                path = export_path(target, image.name, "")
                written += write_mask(
                    path, mask, form, project.classes, image.pixel_size_um, overwrite=True
                )
    return written


def _summary(
    folder: Path, comparison: Comparison, baseline: dict[str, Any], took: float
) -> dict[str, Any]:
    return {
        "event": "finished",
        "run": comparison.runs[-1].run_id,
        "project": str(folder / "sample.orgseg"),
        "compare": str(folder / "compare.json"),
        "masks": str(folder / "masks"),
        "runs": [
            {"id": r.run_id, "name": r.name, "iou": r.pooled.mean_iou if r.pooled else None}
            for r in comparison.runs
        ],
        "baseline": baseline["mean_iou"],
        "seconds": round(took, 1),
    }


def _tell(
    folder: Path,
    comparison: Comparison,
    baseline: dict[str, Any],
    masks: Sequence[Path],
    took: float,
) -> None:
    out()
    show(comparison, baseline)
    out()
    out(f"Project      {folder / 'sample.orgseg'}")
    out(f"Comparison   {folder / 'compare.json'}, compare.csv")
    out(f"Masks        {plural(len(masks), 'file')} in {folder / 'masks'}")
    out(f"Done in {duration(took)}.")
