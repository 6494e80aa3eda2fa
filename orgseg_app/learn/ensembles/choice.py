"""How many of the best models decide: ranked and chosen on validation images, never on test ones.

The members are ranked by their own validation score; then the best k = 1, 2, … decide together on
the same images, and the k with the best score is kept. Averaging the best few of many trained nets
is how Guay et al. 2021 (Sci. Rep. 11:2561) segment platelets: there the mean of the best four beat
the best single net by 7 %.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from orgseg_app.core.metrics.pixels import confusion_matrix, scores
from orgseg_app.core.project import ProjectImage
from orgseg_app.core.split import VALIDATION
from orgseg_app.files.project_file import ProjectFile
from orgseg_app.learn.checkpoint import Model
from orgseg_app.learn.data.dataset import painted_planes
from orgseg_app.learn.data.splitting import SplitPlan
from orgseg_app.learn.ensembles.members import Member
from orgseg_app.learn.errors import DataError
from orgseg_app.learn.prediction.predictor import Predictor
from orgseg_app.learn.prediction.scoring import class_table
from orgseg_app.learn.prediction.source import ProjectPlanes
from orgseg_app.learn.prediction.volumes import PredictedPlane, predicted_planes

Truth = tuple[ProjectImage, NDArray[np.uint8]]


@dataclass
class Choice:
    """What was found out on the validation images.

    Attributes
    ----------
    ranked
        The best by itself first; in the order they were given where nothing could be judged.
    tried
        ``{"k", "validation"}`` for each number of the best; empty where nothing could be judged.
    k
        How many of the best decide: the number with the best score, the smaller of equal ones.
    """

    ranked: list[Member]
    tried: list[dict[str, Any]]
    k: int

    def to_dict(self) -> dict[str, Any]:
        """For ``ensemble.json``."""
        ranked = [
            {
                "run": str(m.facts.get("run")),
                "name": m.model.name,
                "file": str(m.facts.get("file")),
                "validation": m.scores or None,
            }
            for m in self.ranked
        ]
        return {"ranked": ranked, "tried": self.tried, "k": self.k}

    def sentence(self, how: str) -> str:
        """How many decide, and why."""
        total = len(self.ranked)
        if not self.tried:
            return (
                f"All {total} models decide ({how}): there is no validation image that none of "
                "them has learned from, so their number could not be chosen."
            )
        alone, together = (
            self.tried[k - 1]["validation"].get("mean_iou") or 0.0 for k in (1, self.k)
        )
        if self.k == 1:
            return (
                f"The best of {total} models decides alone: no more of them together did better "
                f"on the validation images (IoU {alone:.3f})."
            )
        which = f"All {total}" if self.k == total else f"The best {self.k} of {total}"
        return (
            f"{which} models decide together ({how}): validation IoU {together:.3f}, the best one "
            f"alone {alone:.3f}."
        )


def choose(
    snapshot: ProjectFile,
    plan: SplitPlan,
    members: Sequence[Member],
    predictor_of: Callable[[Model], Predictor],
    *,
    is_vote: bool,
    progress: Callable[[int, int, str], object],
    should_stop: Callable[[], bool],
) -> Choice:
    """Rank the members and choose how many of the best decide.

    Only `VALIDATION` of the plan is looked at.

    Parameters
    ----------
    snapshot, plan
        The images and what each split may use of them.
    members
        At least one; their `scores` are filled in.
    predictor_of
        One model on the device, as it will be used (turned or not).
    is_vote
        Each has a vote, instead of the mean of the probabilities.
    progress
        Called with predictions done, in all, and the name of the image.
    should_stop
        Asked between tiles.

    Raises
    ------
    DataError
        When a member does not know a class, or an image's channels do not fit.
    StopRequestedError
        When `should_stop` says so.
    """
    ids = [c.class_id for c in snapshot.project.classes]
    members = list(members)
    images = [image for image, _ in plan.truths(snapshot, VALIDATION)]
    if not images:
        return Choice(members, [], len(members))
    count = _Count(progress, 2 * len(images) * len(members) if len(members) > 1 else len(images))
    for member in members:
        table, predictor = _table(member.model, snapshot), predictor_of(member.model)
        matrix = np.zeros((len(ids), len(ids)), np.int64)
        for image, truth in plan.truths(snapshot, VALIDATION):
            count.tell(image.name)
            for plane in _planes(predictor, snapshot, image, truth, should_stop):
                matrix += confusion_matrix(truth[plane.z], table[plane.mask], ids)
            count.step()
        member.scores = scores(matrix, ids)
    ranked = sorted(members, key=lambda member: -member.mean_iou)  # equal ones stay in order
    matrices = np.zeros((len(ranked), len(ids), len(ids)), np.int64)
    if len(ranked) > 1:
        table = _table(ranked[0].model, snapshot)
        predictors = [predictor_of(member.model) for member in ranked]
        for image, truth in plan.truths(snapshot, VALIDATION):
            count.tell(image.name)
            for z, masks in _together(predictors, snapshot, image, truth, is_vote, should_stop):
                for place, mask in enumerate(masks):
                    matrices[place] += confusion_matrix(truth[z], table[mask], ids)
            count.step(len(ranked))
    tried = [{"k": 1, "validation": ranked[0].scores}]
    tried += [
        {"k": place, "validation": scores(matrices[place - 1], ids)}
        for place in range(2, len(ranked) + 1)
    ]
    return Choice(ranked, tried, best_k(tried))


def best_k(tried: Sequence[Mapping[str, Any]]) -> int:
    """The number of models with the best mean IoU, the smallest of equal ones.

    Examples
    --------
    >>> best_k([{"k": k, "validation": {"mean_iou": x}} for k, x in ((1, 0.7), (2, 0.8), (3, 0.8))])
    2
    """
    values = [t["validation"].get("mean_iou") for t in tried]
    best = max(-1.0 if value is None else value for value in values)
    return next(
        int(t["k"])
        for t, value in zip(tried, values, strict=True)
        if (-1.0 if value is None else value) >= best
    )


def _table(model: Model, snapshot: ProjectFile) -> NDArray[np.uint8]:
    return class_table(model.classes, snapshot.project.classes)


def _planes(
    predictor: Predictor,
    snapshot: ProjectFile,
    image: ProjectImage,
    truth: NDArray[np.uint8],
    should_stop: Callable[[], bool],
    *,
    want_probabilities: bool = False,
) -> Iterator[PredictedPlane]:
    """The painted planes of an image as a model predicts them."""
    try:
        yield from predicted_planes(
            predictor,
            ProjectPlanes(snapshot, image),
            painted_planes(truth),
            want_probabilities=want_probabilities,
            should_stop=should_stop,
        )
    except DataError as error:
        raise DataError(f'"{image.name}" cannot be predicted. {error}') from None


def _together(
    predictors: Sequence[Predictor],
    snapshot: ProjectFile,
    image: ProjectImage,
    truth: NDArray[np.uint8],
    is_vote: bool,
    should_stop: Callable[[], bool],
) -> Iterator[tuple[int, list[NDArray[np.uint8]]]]:
    """Each painted plane: z, and the masks ``(Y, X)`` of the first 1, 2, … models together."""
    ids = np.asarray(predictors[0].class_ids, np.uint8)
    places_of = [_places(predictor.class_ids) for predictor in predictors]
    streams = [
        _planes(p, snapshot, image, truth, should_stop, want_probabilities=True) for p in predictors
    ]
    for planes in zip(*streams, strict=True):
        decision = Decision(is_vote)
        masks = []
        for plane, places in zip(planes, places_of, strict=True):
            assert plane.probabilities is not None
            index = places[plane.mask]
            masks.append(ids[decision.add(plane.probabilities, index)])
        yield planes[0].z, masks


def _places(class_ids: Sequence[int]) -> NDArray[np.uint8]:
    """Table ``(256,)`` from class ids to their places in a model's answer."""
    table = np.zeros(256, np.uint8)
    table[list(class_ids)] = np.arange(len(class_ids))
    return table


class Decision:
    """The class of every pixel as more and more models decide together.

    Parameters
    ----------
    is_vote
        Each model has one vote, and among equally many the mean of the probabilities decides;
        otherwise that mean alone.

    Examples
    --------
    >>> decision = Decision(is_vote=False)
    >>> for chances in ([[[200]], [[55]]], [[[50]], [[205]]]):
    ...     answer = np.array(chances, np.uint8)
    ...     print(int(decision.add(answer, answer.argmax(0).astype(np.uint8))[0, 0]))
    0
    1
    """

    def __init__(self, is_vote: bool) -> None:
        self._is_vote = is_vote
        self._sum: NDArray[np.float32] | None = None
        self._votes: NDArray[np.float32] | None = None
        self._count = 0

    def add(self, probabilities: NDArray[np.uint8], index: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Let one more model decide, too.

        Parameters
        ----------
        probabilities
            ``(K, Y, X)`` uint8, 255 = certain.
        index
            ``(Y, X)``: its most probable class.

        Returns
        -------
        ``(Y, X)`` uint8, places in K.
        """
        if self._sum is None:
            self._sum = np.zeros(probabilities.shape, np.float32)
            self._votes = np.zeros(probabilities.shape, np.float32)
        assert self._votes is not None
        self._count += 1
        self._sum += probabilities
        if not self._is_vote:
            return np.asarray(self._sum.argmax(axis=0), np.uint8)
        classes = np.arange(len(probabilities), dtype=np.uint8)
        self._votes += classes[:, None, None] == index
        # A mean is at most 1: halved, it never outweighs a vote.
        means = self._sum / np.float32(2 * 255 * self._count)
        return np.asarray((self._votes + means).argmax(axis=0), np.uint8)


class _Count:
    """Progress over all predictions."""

    def __init__(self, progress: Callable[[int, int, str], object], total: int) -> None:
        self._progress, self._total, self._done = progress, total, 0

    def tell(self, item: str) -> None:
        self._progress(self._done, self._total, item)

    def step(self, count: int = 1) -> None:
        self._done += count
