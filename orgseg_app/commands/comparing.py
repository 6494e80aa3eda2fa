"""``compare``: runs side by side on the same held-out images, and a threshold beside them."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orgseg_app.commands.console import CommandError, out, out_json, score, table, warn
from orgseg_app.commands.following import follow
from orgseg_app.commands.packed import project_with_runs
from orgseg_app.commands.reporting import (
    check_targets,
    is_asked_for,
    wants_pictures,
    write_reports,
)
from orgseg_app.core.metrics.sums import average
from orgseg_app.runs import launcher
from orgseg_app.runs.folder import COMPARED_KINDS, ELSEWHERE_KINDS, RunFolder, find_run, list_runs

if TYPE_CHECKING:
    from orgseg_app.files.project_file import ProjectFile
    from orgseg_app.runs.class_scores import ClassScores
    from orgseg_app.runs.comparison import Comparison

PAIRS_SHOWN = 12


def run(asked: Namespace) -> int:
    """Compare runs, print the table and write the files asked for."""
    from orgseg_app.files.project_file import ProjectFile
    from orgseg_app.runs.comparison import compare
    from orgseg_app.runs.reporting.report import make_report

    path = project_with_runs(asked.project)
    check_targets(asked)
    with ProjectFile.open(path, read_only=True) as project_file:
        chosen = _chosen_runs(path, asked.runs)
        if asked.score:
            _score_missing(project_file, chosen, quiet=asked.json)
        group = _group(project_file, asked.group)
        comparison = compare(project_file, chosen, asked.split, group=group)
        if not comparison.images:
            raise CommandError(" ".join(comparison.notes))
        baseline = baseline_for(project_file, comparison)
        report = None
        if is_asked_for(asked):
            report = make_report(
                comparison,
                chosen,
                project_file=project_file,
                baseline=baseline,
                with_pictures=wants_pictures(asked),
            )
    if asked.json:
        out_json(comparison.to_dict() | {"baseline": baseline})
    else:
        show(comparison, baseline)
    if report is not None:
        write_reports(asked, report)
    return 0


def _chosen_runs(path: Path, text: str) -> list[RunFolder]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    if names:
        return [find_run(path, name) for name in names]
    trained = [item for item in list_runs(path) if item.kind in COMPARED_KINDS]
    if not trained:
        raise CommandError(
            f'"{path.name}" has no runs yet, so there is nothing to compare. Start one with: '
            f'orgseg train "{path}".'
        )
    with_scores = [item for item in trained if item.metrics() is not None]
    return with_scores or trained


def _group(project_file: ProjectFile, text: str) -> list[str]:
    """Classes named, as the project spells them."""
    known = {c.name.casefold(): c.name for c in project_file.project.classes}
    wanted = [name.strip() for name in text.split(",") if name.strip()]
    for name in wanted:
        if name.casefold() not in known:
            names = ", ".join(known.values())
            raise CommandError(f'The project has no class "{name}". Its classes: {names}.')
    return list(dict.fromkeys(known[name.casefold()] for name in wanted))


def _score_missing(project_file: ProjectFile, chosen: Sequence[RunFolder], *, quiet: bool) -> None:
    """Score runs that lack one of today's test images, or were scored on other paint."""
    from orgseg_app.core.split import TEST
    from orgseg_app.runs.adding_predictions import score_again
    from orgseg_app.runs.comparison import compare
    from orgseg_app.runs.made_elsewhere import held_images
    from orgseg_app.runs.training import prepare_scoring

    wanted = {
        image.image_id
        for image in project_file.project.in_split(TEST)
        if project_file.counts(image.image_id)
    }
    for item in chosen:
        entry = compare(project_file, [item]).runs[0]
        scored = {one.image_id for one in entry.per_image if not one.is_outdated}
        scored |= set(entry.refused)
        if wanted <= scored:
            continue
        if item.kind in ELSEWHERE_KINDS:
            if wanted & held_images(item) - scored:
                score_again(item, project_file)
            continue
        if not item.best_path.is_file():
            continue
        scoring = prepare_scoring(item, project_file)
        launcher.start(scoring)
        last = follow(scoring, title=scoring.name, json=quiet)
        if last["event"] != "finished":
            raise CommandError(f'"{item.name}" could not be scored. {last.get("message", "")}')


def _truths(project_file: ProjectFile, names: Sequence[str]) -> Iterator[tuple[str, Any, Any]]:
    for image in project_file.project.images.values():
        if image.name in names:
            truth = project_file.load_mask(image.image_id).to_array()
            yield image.name, project_file.read_image(image.image_id), truth


def baseline_for(project_file: ProjectFile, comparison: Comparison) -> dict[str, Any]:
    """What a plain threshold scores on the images that all runs were scored on."""
    from orgseg_app.runs.baseline import threshold_baseline

    images = _truths(project_file, comparison.common_images)
    return threshold_baseline(images, project_file.project.classes)


def show(comparison: Comparison, baseline: dict[str, Any]) -> None:
    """Print the table: pooled figures, then each image."""
    classes = comparison.classes
    heads = [f"IoU {name}" for name in classes]
    rows = [["", *heads, "mean IoU", "mean F1", "precision", "recall"]]
    for item in comparison.runs:
        if item.pooled is None:
            rows.append([item.name, *["–"] * (len(classes) + 4)])
            continue
        by_class = item.pooled.by_class
        means = [average(by_class[name].values()) for name in ("precision", "recall")]
        figures = [by_class["iou"].get(name) for name in classes]
        figures += [item.pooled.mean_iou, item.pooled.mean_dice, *means]
        rows.append([item.name, *map(score, figures)])
    figures = [baseline["iou"].get(name) for name in classes] + [baseline["mean_iou"]]
    figures += [average(baseline[name].values()) for name in ("dice", "precision", "recall")]
    rows.append(["best threshold", *map(score, figures)])
    count = len(comparison.common_images)
    out(f"Pooled over {count} {comparison.split} image{'' if count == 1 else 's'}:")
    out(table(rows, right=range(1, len(rows[0]))))
    out()
    _show_groups(comparison)
    _show_objects(comparison)
    _show_edges(comparison)
    rows = [["mean IoU, each image", *(item.name for item in comparison.runs)]]
    for image in comparison.images:
        found = [
            next((one.scores.mean_iou for one in item.per_image if one.image == image), None)
            for item in comparison.runs
        ]
        rows.append([image, *map(score, found)])
    out(table(rows, right=range(1, len(rows[0]))))
    _show_pairs(comparison)
    for text in comparison.notes:
        warn(text)


def _show_pairs(comparison: Comparison) -> None:
    """Print which run is better than which, the clearest first."""
    from orgseg_app.runs.pairs import pairs_of

    pairs = pairs_of(comparison)
    pairs.sort(key=lambda pair: 1.0 if pair.found is None else pair.found.p_adjusted or 0.0)
    if pairs:
        out()
        out("Mean IoU on the same images, with the interval that holds 95 of 100 of them:")
    for pair in pairs[:PAIRS_SHOWN]:
        out(f"  {pair.sentence}")
    if len(pairs) > PAIRS_SHOWN:
        rest = len(pairs) - PAIRS_SHOWN
        out(f"  {rest} more pairs are in the file that --out writes.")


def _show_groups(comparison: Comparison) -> None:
    """Print how voxels are grouped: by class over the image, and into objects."""
    rows = [["", "ARI", "Rand error", "VOI split", "VOI merge", "Rand error 3-D"]]
    for item in comparison.runs:
        if item.pooled is not None:
            by_class = item.pooled.by_class
            names = ("adapted_rand_error", "voi_split", "voi_merge", "adapted_rand_error_3d")
            figures = [average(by_class[name].values()) for name in names]
            index = item.pooled.over_classes["adjusted_rand_index"]
            rows.append([item.name, *map(score, [index, *figures])])
    if len(rows) > 1:
        out("Classes by adjusted Rand index; objects by adapted Rand error and variation of")
        out("information in bits (mean of planes and classes; 0 is perfect):")
        out(table(rows, right=range(1, len(rows[0]))))
        out()


def _show_objects(comparison: Comparison) -> None:
    """Print how many objects were found, and what became of the others."""
    titles = {
        "ap_50": "AP 0.50",
        "mean_ap": "mean AP",
        "f1_50": "F1 0.50",
        "panoptic_quality": "PQ",
        "missed_objects": "missed",
        "split_objects": "split",
        "merged_objects": "merged",
        "count_error": "count error",
    }
    known = [
        (item.name, item.pooled)
        for item in comparison.runs
        if item.pooled is not None and average(item.pooled.by_class["ap_50"].values()) is not None
    ]
    words = (
        "Objects of each plane, pooled (mean of classes): found when they share more than half",
        "of what both cover; mean AP over 0.50 … 0.95; missed, split, merged, miscounted as",
        "shares, 0 is perfect:",
    )
    _show_means(known, titles, words)


def _show_edges(comparison: Comparison) -> None:
    """Print how outlines, skeletons and probabilities agree."""
    titles = {
        "boundary_f1": "boundary F1",
        "hausdorff_95": "HD95",
        "surface_distance": "surface",
        "cl_dice": "clDice",
        "skeleton_length_error": "length error",
        "branch_point_error": "branch error",
        "roc_auc": "ROC-AUC",
        "average_precision": "AP of pixels",
    }
    known = [
        (item.name, item.pooled)
        for item in comparison.runs
        if item.pooled is not None and item.pooled.by_class["boundary_f1"]
    ]
    units = {pooled.distance_unit or "several units" for _, pooled in known}
    words = (
        "Outlines, skeletons and probabilities, pooled (mean of classes); HD95, the mean of",
        f"images, and surface distance in {' or '.join(sorted(units))}; of distances and errors",
        "0 is perfect:",
    )
    _show_means(known, titles, words)


def _show_means(
    known: Sequence[tuple[str, ClassScores]], titles: Mapping[str, str], words: Iterable[str]
) -> None:
    """Print means over the classes, a row a run; nothing where no run has them."""
    if not known:
        return
    for line in words:
        out(line)
    rows = [["", *titles.values()]]
    for name, pooled in known:
        figures = (average(pooled.by_class[key].values()) for key in titles)
        rows.append([name, *map(score, figures)])
    out(table(rows, right=range(1, len(rows[0]))))
    out()
