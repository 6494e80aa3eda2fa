"""What came of a study: ranked on validation alone, judged on the test images once, at the end.

All figures are those of `runs.comparison`. While a study is at work its test scores stay out of
sight: whoever looks at them while choosing can no longer be judged by them.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orgseg_app.core.split import TEST, VALIDATION
from orgseg_app.files.errors import FileError
from orgseg_app.runs.class_scores import ClassScores
from orgseg_app.runs.comparison import Comparison, ImageScores, compare
from orgseg_app.runs.folder import RunFolder
from orgseg_app.runs.process import write_json
from orgseg_app.runs.studies.cells import Cell, Refused
from orgseg_app.runs.studies.definition import StudyError
from orgseg_app.runs.studies.effects import (
    Combination,
    Effect,
    HeatMap,
    Neighbour,
    RunResult,
    Spread,
    heat_map,
    main_effects,
    neighbours,
    ranking,
    spread_of,
)
from orgseg_app.runs.studies.folder import StudyFolder

if TYPE_CHECKING:
    from orgseg_app.files.project_file import ProjectFile

ONE_CHOICE = (
    "The best was chosen on the validation images; the test images judge that one choice. The test "
    "scores of the others show whether the order holds, and must not choose anew."
)
NOT_YET = "Test scores are shown once all runs are done; until then only validation counts."
NO_TEST = (
    "The runs have no test scores: no test image was painted when the study began, or folds took "
    "turns. Paint test images, then: orgseg compare PROJECT --score"
)


@dataclass(frozen=True)
class FinalScores:
    """On the test images, for the finished study.

    Attributes
    ----------
    by_run : mapping of str to float
        Id of a run → its score on all common test images together.
    images : tuple of str
        Which these are.
    notes : tuple of str
    """

    by_run: Mapping[str, float]
    images: tuple[str, ...]
    notes: tuple[str, ...]

    def of(self, combination: Combination) -> Spread:
        """Over the repeats of a combination."""
        return spread_of([self.by_run.get(run.run_id) for run in combination.runs])


@dataclass(frozen=True)
class StudyResults:
    """What came of a study so far.

    Attributes
    ----------
    folder : StudyFolder
    state : str
        Of the study when it was looked at.
    runs : tuple of RunResult
        One a cell.
    ranking : tuple of Combination
        The best on validation first.
    effects : tuple of Effect
        One an axis.
    heat_maps : tuple of HeatMap
        One a pair of axes.
    why : tuple of Neighbour
        What sets the best apart from each combination a single step away.
    test : FinalScores or None
        None until all is done.
    notes : tuple of str
        Sentences to read before trusting the figures.
    """

    folder: StudyFolder
    state: str
    runs: tuple[RunResult, ...]
    ranking: tuple[Combination, ...]
    effects: tuple[Effect, ...]
    heat_maps: tuple[HeatMap, ...]
    why: tuple[Neighbour, ...]
    test: FinalScores | None
    notes: tuple[str, ...]

    @property
    def best(self) -> Combination | None:
        """The best by validation; None while nothing is scored."""
        first = self.ranking[0] if self.ranking else None
        return first if first is not None and first.rank is not None else None

    @property
    def refused(self) -> tuple[Refused, ...]:
        """Combinations that were never trained."""
        return self.folder.refused

    def to_dict(self) -> dict[str, Any]:
        """As ``study --results --json`` prints it."""
        study = self.folder.study
        refused = [{"places": dict(item.places), "reason": item.reason} for item in self.refused]
        return {
            "study": self.folder.study_id,
            "name": study.name,
            "question": study.question,
            "source": study.source,
            "state": self.state,
            "score": study.score,
            "cells": len(self.runs),
            "finished": sum(run.state == "finished" for run in self.runs),
            "ranking": [self._combination(combination) for combination in self.ranking],
            "main_effects": [effect.to_dict() for effect in self.effects],
            "heat_maps": [found.to_dict() for found in self.heat_maps],
            "why": [neighbour.to_dict() for neighbour in self.why],
            "test": self._test(),
            "refused": refused,
            "notes": list(self.notes),
        }

    def _combination(self, combination: Combination) -> dict[str, Any]:
        return {
            "rank": combination.rank,
            "title": combination.title,
            "places": dict(combination.places),
            "validation": combination.validation.to_dict(),
            "runs": [
                {
                    "cell": run.cell.cell_id,
                    "run": run.run_id,
                    "name": run.name,
                    "state": run.state,
                    "seed": run.cell.recipe.seed,
                    "fold": run.cell.fold,
                    "validation": run.score,
                    "per_image": dict(run.per_image),
                    "seconds": run.seconds,
                }
                for run in combination.runs
            ],
        }

    def _test(self) -> dict[str, Any] | None:
        if self.test is None:
            return None
        scores = [
            {"title": c.title, "rank": c.rank, **self.test.of(c).to_dict()} for c in self.ranking
        ]
        return {
            "images": list(self.test.images),
            "best": scores[0] if self.best is not None else None,
            "all": scores,
            "by_run": dict(self.test.by_run),
            "notes": list(self.test.notes),
        }


def study_results(folder: StudyFolder, project_file: ProjectFile | None = None) -> StudyResults:
    """Read what the runs of a study have scored.

    Parameters
    ----------
    folder : StudyFolder
    project_file : ProjectFile, optional
        Scorings of its runs on newly painted test images count; what was painted anew is noticed.
    """
    state, runs = folder.state, folder.runs()
    notes: list[str] = list(folder.warnings)
    results = tuple(_result(folder, cell, runs.get(cell.cell_id), notes) for cell in folder.cells)
    order = ranking(results)
    keys = [axis.key for axis in folder.study.axes]
    test = None
    if state == "finished":
        finished = [runs[r.cell.cell_id] for c in order for r in c.runs if r.state == "finished"]
        test = _test_scores(compare(project_file, finished, TEST), folder.study.score)
    best = order[0] if order and order[0].rank is not None else None
    return StudyResults(
        folder=folder,
        state=state,
        runs=results,
        ranking=order,
        effects=main_effects(results),
        heat_maps=tuple(heat_map(results, a, b) for a, b in itertools.combinations(keys, 2)),
        why=neighbours(best, order) if best is not None else (),
        test=test,
        notes=tuple(dict.fromkeys([*notes, *_gaps(folder, results, order, test is None)])),
    )


def _result(folder: StudyFolder, cell: Cell, run: RunFolder | None, notes: list[str]) -> RunResult:
    if run is None:
        return RunResult(cell)
    state = run.state
    if state != "finished":
        return RunResult(cell, run.run_id, run.name, state)
    comparison = compare(None, [run], VALIDATION)
    found, score = comparison.runs[0], folder.study.score
    if found.leaked:
        notes.extend(note for note in comparison.notes if "while learning" in note)
    per_image = {
        _image_key(item, found.per_image, cell): value
        for item in found.per_image
        if (value := _value(item.scores, score)) is not None
    }
    pooled = _value(found.pooled, score) if found.pooled is not None else None
    return RunResult(cell, run.run_id, run.name, state, pooled, per_image, found.seconds)


def _image_key(item: ImageScores, all_of_them: Sequence[ImageScores], cell: Cell) -> str:
    """What an image is called in the tables: its name, and what sets it apart from namesakes."""
    key = item.image
    if sum(other.image == key for other in all_of_them) > 1:
        key += f" ({item.image_id})"
    # A parted image is another one in each fold.
    return key if cell.fold is None else f"{key} (fold {cell.fold + 1})"


def _value(scores: ClassScores, score: str) -> float | None:
    return scores.mean_dice if score == "mean_dice" else scores.mean_iou


def _test_scores(comparison: Comparison, score: str) -> FinalScores:
    by_run = {
        run.run_id: value
        for run in comparison.runs
        if run.pooled is not None and (value := _value(run.pooled, score)) is not None
    }
    notes = [ONE_CHOICE, *comparison.notes] if by_run else [NO_TEST]
    return FinalScores(by_run, comparison.common_images, tuple(notes))


def _gaps(
    folder: StudyFolder,
    results: Sequence[RunResult],
    order: Sequence[Combination],
    is_untested: bool,
) -> list[str]:
    """Sentences about what is missing."""
    notes = []
    unfinished = [result for result in results if result.state != "finished"]
    failed = [result for result in unfinished if result.state in ("failed", "lost", "stopped")]
    if unfinished:
        notes.append(
            f"{len(results) - len(unfinished)} of {len(results)} runs have finished"
            + (f"; failed, lost or stopped: {len(failed)}." if failed else ".")
        )
    silent = [r for r in results if r.state == "finished" and r.score is None]
    if silent:
        notes.append(f"{len(silent)} finished runs have no validation score.")
    if any(c.rank is not None and not c.is_complete for c in order):
        notes.append(
            "Some combinations lack repeats, so their means are over fewer runs than others'."
        )
    if folder.refused or len({c.validation.count for c in order}) > 1:
        notes.append(
            "Not all combinations were trained alike often: compare the counts of marginal means "
            "before the means."
        )
    if len(results) == len(order):
        notes.append("Each combination was trained once: a second seed would show what is luck.")
    if is_untested:
        notes.append(NOT_YET)
    return notes


def result_rows(results: StudyResults) -> list[dict[str, object]]:
    """The table: one row a combination, the best first."""
    rows: list[dict[str, object]] = []
    for combination in results.ranking:
        row: dict[str, object] = {"rank": combination.rank, **dict(combination.places)}
        row |= _columns("validation", combination.validation)
        if results.test is not None:
            row |= _columns("test", results.test.of(combination))
        row["runs"] = " ".join(run.run_id for run in combination.runs if run.run_id)
        rows.append(row)
    return rows


def _columns(split: str, spread: Spread) -> dict[str, object]:
    return {f"{split} {name}": value for name, value in spread.to_dict().items()}


def write_results(path: Path, results: StudyResults) -> None:
    """Write a study's results; the suffix of the file chooses the format.

    Parameters
    ----------
    path : Path
        ``.json`` (all there is) or ``.csv`` (the ranking); replaced in one go when it exists.
    results : StudyResults

    Raises
    ------
    StudyError
        For another suffix, or when the file cannot be written.
    """
    suffix = path.suffix.lower()
    if suffix not in (".json", ".csv"):
        raise StudyError(
            f'The results of a study are written as .json or .csv; "{path.name}" is neither.'
        )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if suffix == ".json":
            write_json(path, results.to_dict())
        else:
            _write_csv(path, results)
    except (OSError, FileError) as error:
        reason = (isinstance(error, OSError) and error.strerror) or str(error)
        raise StudyError(
            f'The results could not be written to "{path}": {reason}. They are safe in the runs; '
            "choose another place."
        ) from error


def _write_csv(path: Path, results: StudyResults) -> None:
    from orgseg_app.files.export import write_table

    rows = result_rows(results)
    write_table(path, rows, list(rows[0]) if rows else ["rank"], overwrite=True)
