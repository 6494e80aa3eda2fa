"""What the Compare workspace shows, gathered off the window's thread. No Qt.

Only runs that were scored on the same frozen test images, those that are painted and in the test
split today, and that had seen none of them while learning, are ranked against one another. Every
other run stays in the table with the reason why it is not ranked.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from orgseg_app.core.classes import BACKGROUND, ClassInfo
from orgseg_app.core.split import TEST, TRAIN, VALIDATION
from orgseg_app.gui.comparing.images_by_id import ImagesById
from orgseg_app.gui.comparing.measures import class_value
from orgseg_app.gui.comparing.row_facts import KINDS, RowFacts, settings_of
from orgseg_app.runs.class_scores import DISTANCES, ClassScores
from orgseg_app.runs.comparison import (
    Comparison,
    KnownRun,
    LinedUp,
    RunScores,
    line_up,
    made_of,
    scored_by,
)
from orgseg_app.runs.folder import ACTIVE_STATES, ELSEWHERE_KINDS, RunFolder, list_runs
from orgseg_app.runs.made_elsewhere import MARKS, held_images, words_of
from orgseg_app.runs.model_facts import facts_in
from orgseg_app.runs.recipes.fields import recipe_fields
from orgseg_app.runs.recipes.schema import Recipe
from orgseg_app.runs.recipes.wording import describe, differences
from orgseg_app.runs.remarks import Remarks, remarks_of
from orgseg_app.runs.repeats import repeats

if TYPE_CHECKING:
    from orgseg_app.core.project import ProjectImage
    from orgseg_app.files.project_file import ProjectFile
    from orgseg_app.gui.runs.run_entry import RunEntry
    from orgseg_app.runs.ensembles import EnsembleFacts

FEW_FIELDS = 2
REFUSALS_SHOWN = 2


@dataclass(frozen=True)
class Candidate:
    """One run to compare as the results need it, copied from the window's `RunEntry`.

    Of a run made elsewhere, ``held`` are the images that masks were given for, and ``words`` say
    what it is; it has no model.
    """

    run: RunFolder
    name: str
    state: str
    colour_index: int
    has_model: bool
    recipe: Recipe | None
    ensemble: EnsembleFacts | None = None
    held: frozenset[str] | None = None
    words: str = ""

    @classmethod
    def of(cls, entry: RunEntry) -> Candidate:
        """From an entry of the runs model."""
        is_elsewhere = entry.kind in ELSEWHERE_KINDS
        return cls(
            entry.run,
            entry.name,
            entry.state,
            entry.colour_index,
            entry.has_model,
            entry.recipe,
            entry.ensemble,
            held_images(entry.run) if is_elsewhere else None,
            words_of(entry.run),
        )

    @property
    def known(self) -> KnownRun:
        """What the disk need not be asked for."""
        if self.recipe is None or self.ensemble is not None:
            return KnownRun(self.name, self.state, made_of(self.run))
        return KnownRun(self.name, self.state, describe(self.recipe))


@dataclass(frozen=True)
class ResultRow:
    """One run in the table.

    Attributes
    ----------
    run_id, name : str
    colour_index : int
    is_ranked : bool
        Scored on all test images of today, as they are painted today, having seen none of them.
    reason : str
        Why it is not ranked, or "".
    can_score : bool
        Whether scoring it (again) would help.
    pooled : ClassScores or None
        Over all test images it was scored on.
    images : ImagesById
        Test images of today only.
    differs, all_that_differs : str
        Fields of the recipe in which the runs of the table differ; see `what_differs`.
    refused : mapping of image id to str
        Why an image has no score, as its job said: it would not be honest.
    predictions_path : Path
        Where its predictions for the test images lie.
    seconds : float or None
        Time to train; of an ensemble, all its members.
    mark, caution : str
        Of a run made elsewhere: that it is one, in few words, and what to know before believing
        its scores.
    facts : RowFacts
        Settings, kind, and what the model costs.
    remarks : Remarks
        Note, pinned, hidden.
    """

    run_id: str
    name: str
    colour_index: int
    is_ranked: bool
    reason: str
    can_score: bool
    pooled: ClassScores | None
    images: ImagesById
    differs: str
    predictions_path: Path
    all_that_differs: str = ""
    seconds: float | None = None
    refused: Mapping[str, str] = field(default_factory=dict)
    mark: str = ""
    caution: str = ""
    facts: RowFacts = field(default_factory=lambda: RowFacts({}))
    remarks: Remarks = field(default_factory=Remarks)

    @property
    def note(self) -> str:
        """What a person noted about it."""
        return self.remarks.note

    @property
    def searched(self) -> str:
        """What the filter looks at, in small letters."""
        said = (self.name, self.all_that_differs, self.reason, self.mark, self.note)
        return " ".join(said).casefold()

    def value(self, measure: str, class_name: str, *, mean: bool = False) -> float | None:
        """One score.

        Parameters
        ----------
        measure : str
            Name of a score, such as ``"iou"``; see `measures.MEASURES`.
        class_name : str
            "" for the mean over the classes.
        mean : bool
            Mean of the images' own scores instead of the pooled one. The two are never mixed.
        """
        if not mean:
            return None if self.pooled is None else class_value(self.pooled, measure, class_name)
        if measure in DISTANCES and self.pooled is not None and not self.pooled.distance_unit:
            return None  # micrometres of some images and pixels of others have no mean
        return self.images.mean(measure, class_name)


@dataclass(frozen=True)
class Results:
    """Everything the view shows.

    Attributes
    ----------
    rows : tuple of ResultRow
        Oldest run first.
    images : mapping of id to name
        Test images that are painted, in the order of the project.
    class_names : tuple of str
        Classes other than background.
    comparison : Comparison or None
        Of the ranked runs, for writing to a file.
    problem : str
        Why nothing can be compared, or "".
    notes : tuple of str
        Sentences to read before trusting the figures.
    group : tuple of str
        Classes that the means of a group are over; none for all but background.
    """

    rows: tuple[ResultRow, ...] = ()
    images: Mapping[str, str] = field(default_factory=dict)
    class_names: tuple[str, ...] = ()
    comparison: Comparison | None = None
    problem: str = ""
    notes: tuple[str, ...] = ()
    group: tuple[str, ...] = ()

    def row(self, run_id: str) -> ResultRow | None:
        """The row of a run."""
        return next((row for row in self.rows if row.run_id == run_id), None)

    @property
    def ranked(self) -> list[ResultRow]:
        """Runs that may be ranked."""
        return [row for row in self.rows if row.is_ranked]

    @property
    def to_score(self) -> list[str]:
        """Ids of runs that scoring would bring into the ranking."""
        return [row.run_id for row in self.rows if row.can_score]


def gather(
    file: ProjectFile,
    candidates: Sequence[Candidate],
    group: Collection[str] = (),
    *,
    scorings: Sequence[RunFolder] | None = None,
    progress: Callable[[int, int], object] = lambda done, total: None,
) -> Results:
    """Read scores and compare; slow, so run it in the background.

    Parameters
    ----------
    file, candidates
        The project and its runs.
    group
        Names of the classes that the means of a group are over; those that the project lacks are
        left out, and none stands for all but background.
    scorings
        The scoring jobs of the project, where they are known already.
    progress
        Called with the runs that are read, and how many there are.

    Raises
    ------
    FileError
        When the project cannot be read.
    """
    images = {
        image.image_id: image.name
        for image in file.project.in_split(TEST)
        if _is_painted(file, image)
    }
    class_names = tuple(c.name for c in file.project.classes if c.class_id != BACKGROUND)
    group = tuple(name for name in class_names if name in group)
    if not images:
        split = file.project.in_split(TEST)
        return Results(
            class_names=class_names,
            group=group,
            problem="No test image yet. Put one image aside for test and paint it: models are "
            "compared on images they have not seen."
            if not split
            else "No test image is painted yet. Paint one of them (every class in it), so that "
            "there is a truth to compare with.",
        )
    if not candidates:
        return Results(images=images, class_names=class_names, group=group)
    runs = [item.run for item in candidates]
    if scorings is None:
        scorings = [run for run in list_runs(file.path) if run.kind == "score"]
    lined = line_up(
        file,
        runs,
        TEST,
        images,
        group=group,
        scorings=scorings,
        known={item.run.run_id: item.known for item in candidates},
        progress=progress,
    )
    everything = lined.compared(pools=False)
    by_id = {scored.run_id: ImagesById(scored.per_image) for scored in everything.runs}
    hashes = {i: file.project.images[i].sha256 for i in images}
    reasons = {
        scored.run_id: _reason(
            scored, candidate, images, by_id[scored.run_id], _seen(candidate.run, hashes)
        )
        for scored, candidate in zip(everything.runs, candidates, strict=True)
    }
    pooled, comparison = _pool(lined, by_id, reasons)
    differs = what_differs(candidates)
    trainings = {run.run_id: group[0].run_id for group in repeats(runs) for run in group}
    rows = tuple(
        ResultRow(
            run_id=scored.run_id,
            name=candidate.name,
            colour_index=candidate.colour_index,
            is_ranked=not reasons[scored.run_id][0],
            reason=reasons[scored.run_id][0],
            can_score=reasons[scored.run_id][1],
            pooled=pooled.get(scored.run_id),
            images=by_id[scored.run_id],
            differs=differs[scored.run_id][0],
            all_that_differs=differs[scored.run_id][1],
            predictions_path=scored_by(candidate.run, scorings).predictions_path,
            seconds=scored.seconds,
            refused=scored.refused,
            mark=MARKS.get(candidate.run.kind, ""),
            caution=scored.caution,
            facts=RowFacts(
                settings_of(candidate.recipe),
                KINDS.get(candidate.run.kind, candidate.run.kind),
                scored.seconds,
                facts_in(source.metrics),
                trainings[scored.run_id],
            ),
            remarks=remarks_of(candidate.run),
        )
        for scored, candidate, source in zip(everything.runs, candidates, lined.runs, strict=True)
    )
    return Results(rows, images, class_names, comparison, "", _notes(rows, images), group)


def _is_painted(file: ProjectFile, image: ProjectImage) -> bool:
    return bool(file.counts(image.image_id))


def _pool(
    lined: LinedUp,
    by_id: Mapping[str, ImagesById],
    reasons: Mapping[str, tuple[str, bool]],
) -> tuple[dict[str, ClassScores | None], Comparison | None]:
    """Pooled scores of every run over its own images: runs with the same images share a call."""
    groups: dict[tuple[bool, frozenset[str]], list[str]] = {}
    for run_id, images in by_id.items():
        if images:
            key = not reasons[run_id][0], frozenset(images)
            groups.setdefault(key, []).append(run_id)
    pooled: dict[str, ClassScores | None] = {}
    ranked: Comparison | None = None
    for (is_ranked, _), members in groups.items():
        found = lined.only(members).compared()
        pooled |= {scored.run_id: scored.pooled for scored in found.runs}
        if is_ranked:
            ranked = found
    return pooled, ranked


def _seen(run: RunFolder, hashes: Mapping[str, str]) -> set[str]:
    """Ids of today's test images that the run learnt from or was selected on."""
    if run.kind in ELSEWHERE_KINDS:
        return set()  # nobody knows: the row says so
    given = run.request.get("images")
    facts = [fact for fact in given if isinstance(fact, dict)] if isinstance(given, list) else []
    known = {fact.get("sha256") for fact in facts if fact.get("split") in (TRAIN, VALIDATION)}
    if known.isdisjoint(hashes.values()):
        return set()
    return {image_id for image_id, sha256 in hashes.items() if sha256 in known}


def _reason(
    scored: RunScores,
    candidate: Candidate,
    images: Mapping[str, str],
    by_id: ImagesById,
    seen: Collection[str],
) -> tuple[str, bool]:
    """Why a run is not ranked ("" when it is), and whether scoring would help."""
    held = images.keys() if candidate.held is None else candidate.held & images.keys()
    can_score = candidate.has_model or candidate.held is not None
    can_score = can_score and candidate.state not in ACTIVE_STATES
    if not scored.per_image:
        if candidate.state in ACTIVE_STATES:
            return ("still choosing" if candidate.ensemble else "still learning"), False
        if not can_score:
            return "has no model", False
        if held and not seen and not scored.refused:
            return "not scored on these test images yet", True
    reasons = []
    if seen:
        names = [name for image_id, name in images.items() if image_id in seen]
        reasons.append(f"saw {_some(names, len(images))} while learning")
        can_score = False
    refused = [name for i, name in images.items() if i in scored.refused and i not in seen]
    if refused:
        why = "no honest score on" if candidate.held is None else "nothing usable given for"
        reasons.append(f"{why} {_some(refused, len(images))}")
    have = by_id.keys() | set(seen) | set(scored.refused)
    not_given = [name for i, name in images.items() if i not in have and i not in held]
    if not_given:
        reasons.append(f"nothing given for {_some(not_given, len(images))}")
    missing = [name for i, name in images.items() if i not in have and i in held]
    if missing:
        reasons.append(f"not scored on {_some(missing, len(images))}")
    outdated = by_id.outdated
    if outdated:
        reasons.append(f"{_some(outdated, len(images))} changed since scoring")
    return "; ".join(reasons), bool(missing or outdated) and can_score


def _some(names: Sequence[str], total: int) -> str:
    if len(names) <= 2:
        return " and ".join(names)
    return f"{len(names)} of {total} test images"


def _notes(rows: Sequence[ResultRow], images: Mapping[str, str]) -> tuple[str, ...]:
    """What a person should know before believing the order."""
    refused = list(dict.fromkeys(text for row in rows for text in row.refused.values()))
    notes = refused[:REFUSALS_SHOWN]
    if rest := len(refused) - len(notes):
        notes.append(f"So it is with {rest} more; point at a run to read why.")
    outdated = dict.fromkeys(name for row in rows for name in row.images.outdated)
    if outdated:
        verb = "was" if len(outdated) == 1 else "were"
        notes.append(
            f"{_some(list(outdated), len(images))} {verb} painted anew since runs were scored. "
            "Score them again to compare on today's truth."
        )
    elif any(row.can_score for row in rows):
        count = sum(row.can_score for row in rows)
        noun = "run is" if count == 1 else "runs are"
        notes.append(f"{count} {noun} not scored on all test images.")
    return tuple(notes)


def what_differs(candidates: Sequence[Candidate]) -> dict[str, tuple[str, str]]:
    """For every run, its values of the fields in which the runs' recipes are not all alike.

    Returns
    -------
    dict
        Run id → (short, whole): ``("network width 32", "loss bce, network width 32, steps 400")``.
        The short text leaves out values that most of the runs share, where more than two fields
        differ; both are "" where all runs are alike. Of an ensemble: how it decides, and by which
        members.
    """
    recipes = {item.run.run_id: item.recipe for item in candidates if item.recipe is not None}
    titles = {info.path: _title(info.title) for info in recipe_fields()}
    first = next(iter(recipes.values()), None)
    values: dict[str, dict[str, str]] = {run_id: {} for run_id in recipes}
    base: dict[str, str] = {}
    for run_id, recipe in recipes.items():
        for path, (usual, own) in differences(first or recipe, recipe).items():
            base[path], values[run_id][path] = _plain(usual), _plain(own)
    order = [path for path in titles if path in base]
    common = {
        path: Counter(own.get(path, base[path]) for own in values.values()).most_common(1)[0][0]
        for path in order
    }
    said = {item.run.run_id: ("", "") for item in candidates}
    for run_id, own in values.items():
        mine = {path: own.get(path, base[path]) for path in order}
        whole = ", ".join(f"{titles[path]} {value}" for path, value in mine.items())
        special = [path for path in order if mine[path] != common[path]]
        short = ", ".join(f"{titles[path]} {mine[path]}" for path in special) or "as most runs"
        said[run_id] = (whole if len(order) <= FEW_FIELDS else short, whole)
    for item in candidates:
        if item.ensemble is not None:
            words = item.ensemble.words
            said[item.run.run_id] = (words.partition(":")[0], words)
        elif item.words:
            said[item.run.run_id] = (item.words, item.words)
    return said


def _title(title: str) -> str:
    """A field's title inside a list: lower case, without the unit."""
    plain = title.partition(" (")[0]
    return plain[:1].lower() + plain[1:]


def _plain(value: object) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    return str(value).replace("_", " ").replace("+", " + ")


def class_id_of(classes: Sequence[ClassInfo], name: str) -> int | None:
    """Id of the class with this name, or None ("" or unknown)."""
    return next((c.class_id for c in classes if name and c.name == name), None)
