"""The job that examines a model: held-out images, predicted under one condition after the other.

What it asks and writes is told in `runs.examining` and `runs.examination`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from orgseg_app.core.metrics.judging import facts_of_image
from orgseg_app.core.project import ProjectImage
from orgseg_app.core.split import TEST
from orgseg_app.core.stopping import StoppedError
from orgseg_app.files.project_file import ProjectFile
from orgseg_app.learn.data.dataset import painted_planes
from orgseg_app.learn.data.leakage import leaks
from orgseg_app.learn.data.splitting import SplitPlan, plan_split
from orgseg_app.learn.ensembles.members import Loaded, Member, read_member
from orgseg_app.learn.ensembles.unseen import unseen_plan
from orgseg_app.learn.errors import DataError, LearnError, StopRequestedError
from orgseg_app.learn.examining.levels import Watched, without_coarser, without_detail
from orgseg_app.learn.examining.noise import NoisyPlanes, channel_facts
from orgseg_app.learn.prediction.predictor import Predictor
from orgseg_app.learn.prediction.scoring import class_table
from orgseg_app.learn.prediction.source import PlaneSource, ProjectPlanes
from orgseg_app.learn.prediction.volumes import predicted_planes
from orgseg_app.runs.examination import ABLATIONS, FORMAT, INTACT, LEVELS, NOISES, VERSION
from orgseg_app.runs.folder import RunFolder

MakePredictor = Callable[[Loaded], Predictor]
Progress = Callable[[int, int, str], object]
View = Callable[[ProjectImage, NDArray[np.uint8], PlaneSource], PlaneSource]
"""An image, its ground truth and its planes → its planes under a condition."""


@dataclass(frozen=True)
class Examiner:
    """What all conditions of an examination share.

    Attributes
    ----------
    loaded
        The model.
    make
        Puts it on the device.
    snapshot
        Opened for reading.
    truths
        The images with their ground truth ``(Z, Y, X)``.
    progress
        Called with predictions done, predictions in all, and a name.
    should_stop
        Asked between tiles.
    """

    loaded: Loaded
    make: MakePredictor
    snapshot: ProjectFile
    truths: list[tuple[ProjectImage, NDArray[np.uint8]]]
    progress: Progress
    should_stop: Callable[[], bool]

    def judged(
        self, loaded: Loaded, *, done: int, total: int, view: View | None = None
    ) -> list[dict[str, Any]]:
        """What is counted of each image, by a model, with its planes seen in a certain way."""
        predictor = self.make(loaded)
        classes = self.snapshot.project.classes
        table = class_table(self.loaded.model.classes, classes)
        found = []
        for number, (image, truth) in enumerate(self.truths):
            self.progress(done * len(self.truths) + number, total * len(self.truths), image.name)
            source: PlaneSource = ProjectPlanes(self.snapshot, image)
            if view is not None:
                source = view(image, truth, source)
            mask = np.zeros(truth.shape, np.uint8)
            for plane in predicted_planes(
                predictor, source, painted_planes(truth), should_stop=self.should_stop
            ):
                mask[plane.z] = plane.mask
            found.append(self._counted(image, truth, table[mask]))
        return found

    def _counted(
        self, image: ProjectImage, truth: NDArray[np.uint8], mask: NDArray[np.uint8]
    ) -> dict[str, Any]:
        try:
            facts = facts_of_image(
                truth,
                mask,
                [c.class_id for c in self.snapshot.project.classes],
                pixel_size_um=image.pixel_size_um,
                true_objects=self.snapshot.objects(image.image_id),
                goes_on=lambda: not self.should_stop(),
            )
        except StoppedError:
            raise StopRequestedError("Stopped as asked.") from None
        return {
            "image": image.name,
            "image_id": image.image_id,
            "sha256": image.sha256,
            "mask_sha256": self.snapshot.mask_sha256(image.image_id),
            **facts,
        }


def examine(
    run: RunFolder,
    loaded: Loaded,
    make: MakePredictor,
    snapshot: ProjectFile,
    *,
    begun: Callable[[dict[str, int]], object],
    progress: Progress,
    should_stop: Callable[[], bool],
) -> dict[str, Any]:
    """Do what an examination's request asks for.

    Parameters
    ----------
    run
        The job's folder.
    loaded
        The model that is examined.
    make
        Puts a model, or one made of it, on the device.
    snapshot
        The images, opened for reading.
    begun
        Called with the number of images, by split.
    progress
        Called with predictions done, predictions in all, and the name of the image.
    should_stop
        Asked between tiles.

    Returns
    -------
    dict
        For ``examined.json``.

    Raises
    ------
    LearnError
        With a sentence, when there is no image to look at, or no level to take away.
    StopRequestedError
        When `should_stop` says so.
    """
    asked, start = run.request, time.perf_counter()
    split = str(asked.get("on"))
    truths, refused = _truths(asked, loaded, snapshot, split)
    if not truths:
        reasons = " ".join(entry["reason"] for entry in refused[:2])
        raise DataError(
            f"There is no {split} image that this model can be examined on honestly. {reasons} "
            "Paint another one, or choose the other split.".replace("  ", " ")
        )
    begun({split: len(truths)})
    examiner = Examiner(loaded, make, snapshot, truths, progress, should_stop)
    way = _levels if asked.get("what") == LEVELS else _noise
    conditions = list(way(examiner, asked))
    progress(len(conditions) * len(truths), len(conditions) * len(truths), "")
    return {
        "format": FORMAT,
        "version": VERSION,
        "run": run.run_id,
        "examined_run": str(asked.get("examined_run", "")),
        "what": str(asked.get("what")),
        "split": split,
        "classes": [{"id": c.class_id, "name": c.name} for c in snapshot.project.classes],
        "method": {"seed": int(asked.get("seed") or 0), "snr_db": list(asked.get("snr_db") or ())},
        "refused": refused,
        "conditions": conditions,
        "seconds": round(time.perf_counter() - start, 2),
    }


def _levels(examiner: Examiner, asked: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Without what is coarser, and without its own detail: one level after the other."""
    loaded = examiner.loaded
    if len(loaded.models) != 1:
        raise LearnError("Levels are those of one network; examine a member of the ensemble.")
    model = loaded.models[0]
    watched = Watched(model.network)
    total = 1 + len(ABLATIONS) * len(watched.levels)

    def with_network(network: Any) -> Loaded:
        return replace(loaded, models=[replace(model, network=network)])

    found = examiner.judged(with_network(watched.network), done=0, total=total)
    yield {"kind": INTACT, "images": found}
    done = 1
    for number, level in enumerate(watched.levels):
        for kind in ABLATIONS:
            network = (
                without_coarser(model.network, number)
                if kind == "coarse"
                else without_detail(model.network, number, level.means)
            )
            found = examiner.judged(with_network(network), done=done, total=total)
            yield {"kind": kind, "level": number, "scale": level.scale, "images": found}
            done += 1


def _noise(examiner: Examiner, asked: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """As they are, then with noise of each kind, the weakest first."""
    ratios = sorted({float(snr) for snr in asked.get("snr_db") or ()}, reverse=True)
    seed = int(asked.get("seed") or 0)
    total = 1 + len(NOISES) * len(ratios)
    found = examiner.judged(examiner.loaded, done=0, total=total)
    yield {"kind": INTACT, "images": found}
    known = {
        image.image_id: channel_facts(
            ProjectPlanes(examiner.snapshot, image), painted_planes(truth)
        )
        for image, truth in examiner.truths
    }
    done = 1
    for kind in NOISES:
        for snr in ratios:

            def view(
                image: ProjectImage,
                truth: NDArray[np.uint8],
                source: PlaneSource,
                kind: str = kind,
                snr: float = snr,
            ) -> PlaneSource:
                facts, name = known[image.image_id], image.sha256
                return NoisyPlanes(source, facts, kind=kind, snr_db=snr, seed=seed, name=name)

            found = examiner.judged(examiner.loaded, done=done, total=total, view=view)
            yield {"kind": kind, "snr_db": snr, "images": found}
            done += 1


def _truths(
    asked: Mapping[str, Any], loaded: Loaded, snapshot: ProjectFile, split: str
) -> tuple[list[tuple[ProjectImage, NDArray[np.uint8]]], list[dict[str, str]]]:
    """The images to look at with their ground truth; and which are not, with the reason."""
    plan = _plan(asked, loaded, snapshot)
    known = leaks(snapshot, plan, loaded.training_images) if split == TEST else {}
    seen = set(asked.get("seen") or ())
    kept, refused = [], []
    for image, truth in plan.truths(snapshot, split):
        reason = known.get(image.image_id, "")
        if image.sha256 in seen:
            reason = f'"{image.name}" is left out: the model has learned from it.'
        if reason:
            name = {"image": image.name, "image_id": image.image_id}
            refused.append({**name, "split": split, "reason": reason})
        else:
            kept.append((image, truth))
    return kept, refused


def _plan(asked: Mapping[str, Any], loaded: Loaded, snapshot: ProjectFile) -> SplitPlan:
    """The splits as the examined run had them."""
    wanted = asked.get("split")
    if len(loaded.models) == 1 or not asked.get("snapshot"):
        return plan_split(snapshot, loaded.models[0].recipe, wanted)
    examined = RunFolder(Path(str(asked.get("examined_path"))))
    listed = examined.request.get("members")
    facts = [m for m in listed if isinstance(m, dict)] if isinstance(listed, list) else []
    members = [Member(read_member(examined.path, fact), fact) for fact in facts]
    return unseen_plan(snapshot, members, wanted)
