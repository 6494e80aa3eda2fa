"""Comparing runs on the same held-out images: each image by itself, and all pooled.

Scores are computed here from the confusion matrices that jobs wrote, so that every run is judged by
the same code. Pooled scores use only the images that all runs were scored on; what is missing, what
a run had seen while learning, and what was painted anew since, is said beside the figures.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from orgseg_app.core.classes import BACKGROUND
from orgseg_app.core.split import TEST
from orgseg_app.runs.class_scores import PER_CLASS, ClassScores
from orgseg_app.runs.ensembles import KIND, facts_of
from orgseg_app.runs.folder import ELSEWHERE_KINDS, RunFolder, list_runs
from orgseg_app.runs.image_scores import ImageScores as ImageScores
from orgseg_app.runs.image_scores import RunImages, Words, leaked_in, outdated_in
from orgseg_app.runs.kept_format import KeptImages
from orgseg_app.runs.kept_scores import KeptScores, kept_scores
from orgseg_app.runs.made_elsewhere import caution_of, words_of
from orgseg_app.runs.model_facts import ModelFacts, facts_in
from orgseg_app.runs.pairs import pairs_of
from orgseg_app.runs.recipes.wording import describe
from orgseg_app.runs.truths import Truth, todays_truths
from orgseg_app.runs.withheld import is_banded, refused_in, seen_by

if TYPE_CHECKING:
    from orgseg_app.files.project_file import ProjectFile


@dataclass(frozen=True)
class RunScores:
    """How a run did on all images compared.

    Attributes
    ----------
    run_id, name, state, recipe : str
        ``recipe`` in one line; of an ensemble, its members.
    per_image : sequence of ImageScores
        In the order of `Comparison.images`, missing ones left out.
    pooled : ClassScores or None
        Over `Comparison.common_images`; None when the run has no scores.
    missing : tuple of str
        Images the run was not scored on.
    refused : mapping of str to str
        Image id → why its score would not be honest; such images are missing, too.
    is_banded : bool
        Judged on a band of an image that it learned from in another band, not on whole images.
    seconds, seconds_per_megapixel : float or None
        Time to train; time to predict.
    kind : str
        One of `runs.folder.COMPARED_KINDS`.
    caution : str
        What must be said beside its scores: of runs made elsewhere, that nobody knows what they
        were trained on.
    facts : ModelFacts or None
        What the model costs, as the job measured it that the scores are of.
    """

    run_id: str
    name: str
    state: str
    recipe: str
    per_image: Sequence[ImageScores]
    pooled: ClassScores | None
    missing: tuple[str, ...] = ()
    refused: Mapping[str, str] = field(default_factory=dict)
    is_banded: bool = False
    seconds: float | None = None
    seconds_per_megapixel: float | None = None
    kind: str = "train"
    caution: str = ""
    facts: ModelFacts | None = None

    @property
    def leaked(self) -> tuple[str, ...]:
        """Images the run had seen while learning."""
        return leaked_in(self.per_image)

    def to_dict(self) -> dict[str, Any]:
        """As in ``compare.json``."""
        return {
            "id": self.run_id,
            "name": self.name,
            "state": self.state,
            "recipe": self.recipe,
            "per_image": [
                {
                    "image": item.image,
                    "image_id": item.image_id,
                    "sha256": item.sha256,
                    **item.scores.to_dict(),
                    "leaked": item.is_leaked,
                    "outdated": item.is_outdated,
                }
                for item in self.per_image
            ],
            "pooled": self.pooled.to_dict() if self.pooled else {score: {} for score in PER_CLASS},
            "leaked": list(self.leaked),
            "missing": list(self.missing),
            "refused": [{"image_id": i, "reason": text} for i, text in self.refused.items()],
            "seconds": self.seconds,
            "seconds_per_megapixel": self.seconds_per_megapixel,
            "kind": self.kind,
            "caution": self.caution,
            "facts": self.facts.to_dict() if self.facts is not None else None,
        }


@dataclass(frozen=True)
class Comparison:
    """Runs side by side.

    Attributes
    ----------
    split : str
    images : tuple of str
        All images compared, as shown.
    common_images : tuple of str
        Those that every run with scores was scored on; pooled scores are over these.
    classes : tuple of str
        Names of all classes but background.
    runs : tuple of RunScores
    notes : tuple of str
        Sentences to read before trusting the figures.
    group : tuple of str
        Classes that the means of a group are over; none for all but background.
    """

    split: str
    images: tuple[str, ...]
    common_images: tuple[str, ...]
    classes: tuple[str, ...]
    runs: tuple[RunScores, ...]
    notes: tuple[str, ...] = ()
    group: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """The shape of ``compare.json``, which scripts rely on."""
        return {
            "split": self.split,
            "images": list(self.images),
            "common_images": list(self.common_images),
            "classes": list(self.classes),
            "group": list(self.group) or list(self.classes),
            "runs": [run.to_dict() for run in self.runs],
            "pairs": [pair.to_dict() for pair in pairs_of(self)],
            "notes": list(self.notes),
        }


@dataclass
class _Scored:
    """What one run has to offer: its scores, and which of their images count."""

    run: RunFolder
    kept: KeptScores | None
    entries: dict[str, int] = field(default_factory=dict)
    seen: frozenset[str] = frozenset()
    refused: dict[str, str] = field(default_factory=dict)
    truths: dict[str, Truth] = field(default_factory=dict)

    @property
    def metrics(self) -> Mapping[str, Any]:
        """What ``metrics.json`` says besides scores."""
        return {} if self.kept is None else self.kept.metrics


def scored_by(run: RunFolder, scorings: Sequence[RunFolder] = ()) -> RunFolder:
    """Whose scores count for a run: its newest finished scoring job, else the run itself.

    Parameters
    ----------
    run : RunFolder
    scorings : sequence of RunFolder
        Runs of kind ``"score"`` to look among.
    """
    mine = [one for one in scorings if one.request.get("scored_run") == run.run_id]
    for scoring in sorted(mine, key=lambda item: item.created, reverse=True):
        if scoring.state == "finished" and scoring.metrics_path.is_file():
            return scoring
    return run


def _gather(run: RunFolder, source: RunFolder, split: str) -> _Scored:
    scored = _Scored(run, kept_scores(source))
    scored.seen = seen_by(run, source, split)
    if scored.kept is None:
        return scored
    scored.truths = scored.kept.truths
    # What a run refused when it had its training images before it, no later scoring brings back.
    scored.refused = refused_in(scored.kept.metrics, split)
    if source is not run:
        scored.refused |= refused_in(run.metrics(), split)
    images = scored.kept.images
    scored.entries = dict(zip(images.keys, range(len(images)), strict=True))
    if scored.refused or set(images.splits) != {split}:
        scored.entries = {
            key: number
            for key, number in scored.entries.items()
            if images.splits[number] == split and images.ids[number] not in scored.refused
        }
    return scored


class KnownRun(NamedTuple):
    """What the caller knows of a run already, so that the disk is not asked for it."""

    name: str
    state: str
    recipe: str

    @classmethod
    def of(cls, run: RunFolder) -> KnownRun:
        """As the folder says."""
        return cls(run.name, run.state, made_of(run))


@dataclass(frozen=True)
class LinedUp:
    """Runs with the images of a split that each was scored on, before any of them is scored.

    Attributes
    ----------
    split : str
    runs : tuple
        What each has to offer, in the order of the table.
    names : mapping of str to str
        Key of an image → how it is called.
    truths : mapping of str to Truth
        Of today, by image id.
    class_names : mapping of int to str
    known : mapping of str to KnownRun
        By run id.
    group : tuple of str
    """

    split: str
    runs: tuple[_Scored, ...]
    names: Mapping[str, str]
    truths: Mapping[str, Truth]
    class_names: Mapping[int, str]
    known: Mapping[str, KnownRun]
    group: tuple[str, ...] = ()
    _known_outdated: dict[tuple[int, int], frozenset[str]] = field(default_factory=dict)

    def only(self, run_ids: Collection[str]) -> LinedUp:
        """Some of the runs, as if the others were not there."""
        return replace(self, runs=tuple(r for r in self.runs if r.run.run_id in run_ids))

    def compared(self, *, pools: bool = True) -> Comparison:
        """Score them; without pooled scores that takes no time."""
        with_scores = [item for item in self.runs if item.entries]
        self._known_outdated.clear()
        keys = list(dict.fromkeys(key for item in with_scores for key in item.entries))
        common = _common([item.entries for item in with_scores], keys)
        shown = tuple(self._scores(item, keys, common if pools else ()) for item in self.runs)
        used = {i for item in with_scores if item.kept for i in item.kept.class_ids} - {BACKGROUND}
        return Comparison(
            split=self.split,
            images=tuple(self.names[key] for key in keys),
            common_images=tuple(self.names[key] for key in common),
            classes=tuple(self.class_names[class_id] for class_id in sorted(used)),
            runs=shown,
            group=self.group,
            notes=tuple(_notes(shown, self.split, len(common), len(keys))),
        )

    def _scores(self, item: _Scored, keys: Sequence[str], common: Sequence[str]) -> RunScores:
        run, kept, metrics = item.run, item.kept, item.metrics
        known = self.known.get(run.run_id) or KnownRun.of(run)
        per_image: Sequence[ImageScores] = ()
        pooled = None
        if kept is not None and item.entries:
            numbers = [n for n in map(item.entries.get, keys) if n is not None]
            words = Words(self.names, self.class_names, self.group, item.seen, self._outdated(item))
            per_image = RunImages(kept, numbers, words)
            if common:
                numbers = [item.entries[key] for key in common]
                pooled = kept.pooled(numbers, self.class_names, self.group)
        return RunScores(
            run_id=run.run_id,
            name=known.name,
            state=known.state,
            recipe=known.recipe,
            per_image=per_image,
            pooled=pooled,
            missing=_missing(self.names, keys, item.entries),
            refused=item.refused,
            is_banded=bool(item.entries) and is_banded(run),
            seconds=_number(metrics.get("seconds")),
            seconds_per_megapixel=_number(metrics.get("seconds_per_megapixel")),
            kind=run.kind,
            caution=caution_of(run),
            facts=facts_in(metrics),
        )

    def _outdated(self, item: _Scored) -> frozenset[str]:
        """Ids of images that were painted anew since."""
        assert item.kept is not None
        key = id(item.truths), id(item.kept.images)
        if key not in self._known_outdated:  # most runs share both
            self._known_outdated[key] = self._find_outdated(item.truths, item.kept.images)
        return self._known_outdated[key]

    def _find_outdated(self, noted: Mapping[str, Truth], images: KeptImages) -> frozenset[str]:
        others = {i for i, _ in self.truths.items() ^ noted.items()}
        if not others:
            return frozenset()
        looked_at = dict(zip(images.ids, images.has_objects, strict=True))
        return frozenset(
            image_id
            for image_id in others & looked_at.keys()
            if self._is_outdated(image_id, noted.get(image_id), looked_at[image_id])
        )

    def _is_outdated(self, image_id: str, then: Truth | None, has_objects: bool) -> bool:
        today = self.truths.get(image_id)
        if today is None:
            return then is not None
        return today.has_changed(then, has_objects=has_objects)


def line_up(
    project_file: ProjectFile | None,
    runs: Sequence[RunFolder],
    split: str = TEST,
    image_ids: Collection[str] | None = None,
    *,
    group: Collection[str] = (),
    scorings: Sequence[RunFolder] | None = None,
    known: Mapping[str, KnownRun] | None = None,
    progress: Callable[[int, int], object] = lambda done, total: None,
) -> LinedUp:
    """Read what runs have to offer; the parameters are those of `compare`.

    Parameters
    ----------
    scorings
        The scoring jobs of the project, where they are known already.
    known
        By run id, likewise.
    progress
        Called with the runs that are read, and how many there are.
    """
    if scorings is None:
        scorings = []
        if project_file is not None:
            scorings = [run for run in list_runs(project_file.path) if run.kind == "score"]
    gathered = []
    for done, run in enumerate(runs):
        progress(done, len(runs))
        gathered.append(_gather(run, scored_by(run, scorings), split))
    if image_ids is not None:
        for item in gathered:
            wanted = item.kept is not None and set(item.kept.images.ids).issubset(image_ids)
            if not wanted:
                item.entries = {
                    key: number
                    for key, number in item.entries.items()
                    if key.partition(" ")[0] in image_ids
                }
            item.refused = {i: text for i, text in item.refused.items() if i in image_ids}
    with_scores = [item for item in gathered if item.entries]
    class_names: dict[int, str] = {}
    for item in with_scores:
        class_names |= item.kept.class_names if item.kept else {}
    if project_file is not None:
        class_names |= {c.class_id: c.name for c in project_file.project.classes}
    return LinedUp(
        split=split,
        runs=tuple(gathered),
        names=_image_names(project_file, with_scores),
        truths=_todays_truths(project_file, with_scores),
        class_names=class_names,
        known=known or {},
        group=tuple(group),
    )


def compare(
    project_file: ProjectFile | None,
    runs: Sequence[RunFolder],
    split: str = TEST,
    image_ids: Collection[str] | None = None,
    *,
    group: Collection[str] = (),
) -> Comparison:
    """Line runs up on the images of one split.

    Parameters
    ----------
    project_file : ProjectFile or None
        Names of images and classes are taken from it, and what was painted anew is noticed; None:
        the runs' own words count.
    runs : sequence of RunFolder
        In the order of the table.
    split : str
        ``"test"``, ``"validation"`` or ``"train"``.
    image_ids : collection of str, optional
        Only these images count; by default all that any run was scored on.
    group : collection of str, optional
        Names of the classes that the means of a group are over; by default all but background.

    Returns
    -------
    Comparison
        Runs without scores are kept, with everything missing.
    """
    return line_up(project_file, runs, split, image_ids, group=group).compared()


def _missing(
    names: Mapping[str, str], keys: Sequence[str], entries: Mapping[str, int]
) -> tuple[str, ...]:
    if len(entries) == len(keys):
        return ()
    return tuple(names[key] for key in keys if key not in entries)


def _common(entries: Sequence[Mapping[str, int]], keys: Sequence[str]) -> list[str]:
    """Keys that all have, in the order of `keys`."""
    everywhere = set(keys)
    for own in entries:
        everywhere &= own.keys()
    return [key for key in keys if key in everywhere]


def _image_names(project_file: ProjectFile | None, gathered: Sequence[_Scored]) -> dict[str, str]:
    """How each image is called today, or was when it was scored."""
    known = project_file.project.images if project_file is not None else {}
    names: dict[str, str] = {}
    for item in gathered:
        for key in item.entries.keys() - names.keys():
            assert item.kept is not None
            images, number = item.kept.images, item.entries[key]
            today = known.get(images.ids[number])
            names[key] = today.name if today is not None else images.names[number]
    return names


def _todays_truths(
    project_file: ProjectFile | None, gathered: Sequence[_Scored]
) -> dict[str, Truth]:
    """What is painted on each image, by its id; the newest run's word if there is no file."""
    truths: dict[str, Truth] = {}
    for item in sorted(gathered, key=lambda item: item.run.created):
        truths |= item.truths
    if project_file is None:
        return truths
    ids: set[str] = set()
    noted: set[tuple[str, Truth]] = set()
    for truths_of_run in {id(item.truths): item.truths for item in gathered}.values():
        noted.update(truths_of_run.items())
    for item in gathered:
        ids.update(item.kept.images.ids if item.kept else ())
    asking = {image_id for image_id, truth in noted if truth.objects is not None}
    wanted = {i: i in asking for i in project_file.project.images if i in ids}
    return truths | todays_truths(project_file, wanted)


def made_of(run: RunFolder) -> str:
    """A run's recipe, members of an ensemble, or where it was made, in one line; "" for nothing."""
    if run.kind == KIND:
        return facts_of(run).words
    if run.kind in ELSEWHERE_KINDS:
        return words_of(run)
    recipe = run.recipe
    return describe(recipe) if recipe else ""


def _number(value: object) -> float | None:
    try:
        return float(value) if isinstance(value, (int, float)) else None
    except OverflowError:
        return None


def _notes(runs: Sequence[RunScores], split: str, common: int, total: int) -> list[str]:
    notes = _refusals(runs)
    if not total and not notes:
        return [
            f"No run has scores on the {split} split yet. Paint an image of that split, train (or "
            "wait for the runs to finish), then compare."
        ]
    if common < total:
        notes.append(f"Pooled scores are over the {common} of {total} images all runs have.")
    for run in runs:
        if not run.per_image and not run.refused:
            notes.append(f'"{run.name}" has no scores on the {split} split ({run.state}).')
        elif len(run.missing) > len(run.refused):
            notes.append(f'"{run.name}" was not scored on {len(run.missing)} of {total} images.')
        if run.is_banded and len(runs) > 1:
            notes.append(
                f'"{run.name}" was judged on a band of the image only; those of other runs may lie '
                "elsewhere."
            )
        if run.caution and run.per_image:
            notes.append(run.caution)
        if run.leaked:
            notes.append(
                f'"{run.name}" had seen {", ".join(run.leaked)} while learning; its scores there '
                "flatter it."
            )
        if outdated := outdated_in(run.per_image):
            notes.append(
                f'{", ".join(outdated)} changed after "{run.name}" was scored; score it again.'
            )
    return notes


def _refusals(runs: Sequence[RunScores]) -> list[str]:
    """Why scores are left out, each sentence once, with the runs that it is about."""
    about: dict[str, list[str]] = {}
    for run in runs:
        for reason in run.refused.values():
            about.setdefault(reason, []).append(f'"{run.name}"')
    return [f"{', '.join(names)}: {reason}" for reason, names in about.items()]
