"""Adding what was made elsewhere to the comparison: another program's masks, a second person's.

It becomes a run folder of kind ``"imported"`` or ``"annotation"``: ``request.json`` (what was given
and what its classes became), ``metrics.json`` and ``predictions.h5``, as a job leaves them, so that
tables, panes, pairs and reports need not know the difference. It has no model and needs no torch.

Where a file of another program is 0, it says background: other programs know no third. Where a
person left a voxel unlabelled, or a file says that nothing is known, the voxel is not judged.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from orgseg_app.core.metrics.pixels import scores
from orgseg_app.core.split import TEST, VALIDATION
from orgseg_app.files import giving_up
from orgseg_app.files.counterparts.offer import (
    JUDGED_SPLITS,
    Becomes,
    Offer,
    OfferError,
    undecided_words,
)
from orgseg_app.files.errors import FileError
from orgseg_app.files.giving_up import GivenUpError
from orgseg_app.runs.errors import RunError
from orgseg_app.runs.events import EventWriter
from orgseg_app.runs.folder import RunFolder, runs_dir
from orgseg_app.runs.made_elsewhere import ANNOTATION, IMPORTED
from orgseg_app.runs.process import replace, write_json
from orgseg_app.runs.same_file import same_file
from orgseg_app.runs.training import class_facts, free_name, image_facts_of

if TYPE_CHECKING:
    from orgseg_app.core.project import ProjectImage
    from orgseg_app.files.project_file import ProjectFile

DRAFTS = ".adding"
"""Folder beside the runs in which a row is made; it appears among them when it is whole."""

_LITTLE = 0.001

Progress = Callable[[int, int, str], bool]
"""Images done, images in all, name of the next; False gives up."""


@dataclass
class _Judged:
    """What was found out while masks were read, image by image."""

    entries: list[dict[str, Any]] = field(default_factory=list)
    refused: list[dict[str, str]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    held: dict[str, str] = field(default_factory=dict)
    left_out: dict[str, float] = field(default_factory=dict)

    def sentences(self) -> list[str]:
        """What a person should read before trusting the scores."""
        shares = list(self.left_out.values())
        if not shares:
            return self.warnings
        most, count = max(shares), len(shares)
        noun = "1 image" if count == 1 else f"{count} images"
        up_to = "" if count == 1 else "up to "
        text = (
            f"On {noun}, {up_to}{most:.0%} of what is painted is unlabelled in the mask given, and "
            "not judged."
        )
        return [*self.warnings, text]

    def metrics(self, run: RunFolder, project_file: ProjectFile) -> dict[str, Any]:
        """As in ``metrics.json``."""
        classes = project_file.project.classes
        return {
            "run": run.run_id,
            "classes": [{"id": c.class_id, "name": c.name} for c in classes],
            "images": self.entries,
            "refused": self.refused,
            "validation": self._pooled(VALIDATION, [c.class_id for c in classes]),
            "test": self._pooled(TEST, [c.class_id for c in classes]),
            "seconds_per_megapixel": None,
            "seconds": None,
        }

    def _pooled(self, split: str, class_ids: Sequence[int]) -> dict[str, Any] | None:
        matrices = [np.asarray(e["confusion"]) for e in self.entries if e["split"] == split]
        return scores(np.sum(matrices, axis=0), class_ids) if matrices else None


def add_predictions(
    project_file: ProjectFile,
    offer: Offer,
    becomes: Becomes,
    *,
    name: str,
    by_person: bool = False,
    progress: Progress = lambda done, total, text: True,
) -> RunFolder:
    """Take in what was made elsewhere and score it, as a row of the comparison.

    Parameters
    ----------
    project_file
        Its painted validation and test images are the ground truth; nothing in it is changed.
    offer
        What was found; its images that are not painted yet are kept and can be scored later.
    becomes
        What the offered classes are in the project.
    name
        As shown; numbered when a run has it already.
    by_person
        A second annotation in place of a program's predictions.
    progress
        Asked before each image.

    Returns
    -------
    RunFolder
        Finished; `RunFolder.warnings` holds what a person should read.

    Raises
    ------
    OfferError
        When it is not known what a class becomes.
    GivenUpError
        When `progress` said so; nothing was made.
    RunError
        When none of the masks can be used, or the disk refuses; nothing was made.
    """
    if undecided := offer.undecided(becomes):
        raise OfferError(undecided_words(undecided))
    if not offer.usable:
        raise RunError(_nothing_usable([i.problem for i in offer.counterparts if i.problem]))
    by_person = by_person or offer.is_project
    draft = RunFolder.create(
        runs_dir(project_file.path) / DRAFTS,
        name=free_name(project_file.path, name.strip() or "imported predictions"),
        kind=ANNOTATION if by_person else IMPORTED,
        project_uuid=project_file.project.uuid,
    )
    with _published_or_gone(draft):
        found = _Judged()
        _write_predictions(draft, _taken_in(project_file, offer, becomes, found, progress))
        if not found.held:
            raise RunError(_nothing_usable([item["reason"] for item in found.refused]))
        _finish(draft, project_file, found, _request_of(project_file, offer, becomes, found))
    return _publish(draft)


def score_again(
    run: RunFolder,
    project_file: ProjectFile,
    *,
    progress: Progress = lambda done, total, text: True,
) -> RunFolder:
    """Score such a run on the validation and test images as they are painted now.

    Parameters
    ----------
    run
        Made elsewhere.
    project_file
        What is painted now counts.
    progress
        Asked before each image.

    Returns
    -------
    RunFolder
        A finished run of kind ``"score"``, as a scoring job leaves it.

    Raises
    ------
    GivenUpError
        When `progress` said so; nothing was made.
    RunError
        When no mask was given for any painted test image, or the disk refuses.
    """
    from orgseg_app.files.predictions import predicted_images, read_prediction

    held = set(predicted_images(run.predictions_path))
    wanted = [
        image
        for image in project_file.project.images.values()
        if image.image_id in held
        and image.split in JUDGED_SPLITS
        and project_file.counts(image.image_id)
    ]
    if not any(image.split == TEST for image in wanted):
        raise RunError(
            f'"{run.name}" holds no mask of a painted test image, so there is nothing to score. '
            "Add its predictions again, with those of the test images."
        )
    draft = RunFolder.create(
        runs_dir(project_file.path) / DRAFTS,
        name=f"scores of {run.name}",
        kind="score",
        project_uuid=project_file.project.uuid,
    )
    with _published_or_gone(draft):
        found = _Judged()
        for number, image in enumerate(wanted):
            _ask(progress, number, len(wanted), image.name)
            made = read_prediction(run.predictions_path, image.image_id)
            _judge(project_file, image, made.mask, made.objects, found)
        same_file(run.predictions_path, draft.predictions_path)
        ids = [image.image_id for image in wanted]
        more = {"scored_run": run.run_id, "images": image_facts_of(project_file, ids)}
        _finish(draft, project_file, found, more)
    return _publish(draft)


def _taken_in(
    project_file: ProjectFile,
    offer: Offer,
    becomes: Becomes,
    found: _Judged,
    progress: Progress,
) -> Iterator[Any]:
    """The masks that can be used, one after the other; what cannot becomes a sentence."""
    from orgseg_app.files.predictions import Prediction

    found.refused += [
        _refusal(item.image_id, item.name, item.split, item.problem)
        for item in offer.counterparts
        if item.problem
    ]
    usable = offer.usable
    with offer.reading():
        for number, item in enumerate(usable):
            _ask(progress, number, len(usable), item.name)
            image = project_file.project.images[item.image_id]
            try:
                opened = project_file.opened_image(image.image_id)
                loaded = offer.load(image, opened, becomes)
            except FileError as error:
                found.refused.append(_refusal(image.image_id, image.name, image.split, str(error)))
                continue
            found.held[image.image_id] = item.found
            found.warnings += [f'"{image.name}": {text}' for text in loaded.notes]
            _judge(project_file, image, loaded.mask, loaded.objects, found)
            yield Prediction(image.image_id, loaded.mask, objects=loaded.objects)
    _ask(progress, len(usable), len(usable), "")


def _judge(
    project_file: ProjectFile,
    image: ProjectImage,
    mask: NDArray[np.uint8],
    objects: NDArray[np.uint32] | None,
    found: _Judged,
) -> None:
    """Count agreement with what is painted on an image, where both say something."""
    truth = project_file.load_mask(image.image_id).to_array()
    painted = int(np.count_nonzero(truth))
    if not painted:
        return  # kept; scored once it is painted
    if mask.shape != truth.shape:
        text = f'The mask given for "{image.name}" has another size than the image today.'
        found.refused.append(_refusal(image.image_id, image.name, image.split, text))
        return
    truth[mask == 0] = 0
    judged = int(np.count_nonzero(truth))
    if not judged:
        text = f'"{image.name}" has no score: where one mask says something, the other does not.'
        found.warnings.append(text)  # no refusal: more paint may change it
        return
    if painted - judged > _LITTLE * painted:
        found.left_out[image.image_id] = (painted - judged) / painted
    found.entries.append(
        {
            "image": image.name,
            "image_id": image.image_id,
            "sha256": image.sha256,
            "mask_sha256": project_file.mask_sha256(image.image_id),
            "split": image.split,
            "left_out_voxels": painted - judged,
            **_facts(project_file, image, truth, mask, objects),
        }
    )


def _facts(
    project_file: ProjectFile,
    image: ProjectImage,
    truth: NDArray[np.uint8],
    mask: NDArray[np.uint8],
    objects: NDArray[np.uint32] | None,
) -> dict[str, Any]:
    """All that is counted on one image, as jobs count it."""
    from orgseg_app.core.metrics.judging import facts_of_image

    def goes_on() -> bool:
        giving_up.ask()  # raises when nobody waits for it
        return True

    return facts_of_image(
        truth,
        mask,
        list(project_file.project.class_ids),
        pixel_size_um=image.pixel_size_um,
        true_objects=project_file.objects(image.image_id),
        predicted_objects=objects,
        goes_on=goes_on,
    )


def _request_of(
    project_file: ProjectFile, offer: Offer, becomes: Becomes, found: _Judged
) -> dict[str, Any]:
    """What was given and what it became; names of files only, never where they lay."""
    names = {info.class_id: info.name for info in project_file.project.classes}
    judged = list(dict.fromkeys(entry["image_id"] for entry in found.entries))
    return {
        "warnings": found.sentences(),
        "classes": class_facts(project_file),
        "images": image_facts_of(project_file, judged),
        "source": {
            "title": offer.title,
            "meaning": becomes.meaning,
            "classes": {
                item.words: names.get(becomes.class_ids[item.number], "")
                for item in offer.offered(becomes.meaning)
            },
            "images": found.held,
            "notes": list(offer.notes),
        },
    }


def _finish(
    draft: RunFolder, project_file: ProjectFile, found: _Judged, more: Mapping[str, Any]
) -> None:
    """Write what a job would: the whole request, the scores, and that it is over."""
    metrics = found.metrics(draft, project_file)
    request = {**draft.request, "classes": metrics["classes"], **more}
    write_json(draft.path / "request.json", request)
    write_json(draft.metrics_path, metrics)
    with EventWriter(draft.events_path) as events:
        events.write(
            "finished",
            run=draft.run_id,
            message="",
            validation=metrics["validation"],
            test=metrics["test"],
            refused=[item for item in found.refused if item["split"] == TEST],
        )


def _write_predictions(draft: RunFolder, predictions: Iterator[Any]) -> None:
    from orgseg_app.files.predictions import write_predictions

    write_predictions(draft.predictions_path, predictions)


@contextlib.contextmanager
def _published_or_gone(draft: RunFolder) -> Iterator[None]:
    """Take a draft away again when it cannot be finished."""
    try:
        yield
    except BaseException as error:
        shutil.rmtree(draft.path, ignore_errors=True)
        _leave(draft)
        if isinstance(error, OSError):
            raise RunError(
                f'"{draft.name}" could not be written: {error.strerror}. Nothing was added; check '
                "that the disk has room."
            ) from error
        raise


def _publish(draft: RunFolder) -> RunFolder:
    """Let a finished row appear among the runs."""
    target = draft.path.parents[1] / draft.path.name
    try:
        replace(draft.path, target)
    except OSError as error:
        shutil.rmtree(draft.path, ignore_errors=True)
        raise RunError(
            f'"{draft.name}" could not be put among the runs: {error.strerror}. Nothing was added.'
        ) from error
    finally:
        _leave(draft)
    return RunFolder(target)


def _leave(draft: RunFolder) -> None:
    with contextlib.suppress(OSError):  # somebody else may be adding, too
        draft.path.parent.rmdir()


def _ask(progress: Progress, done: int, total: int, text: str) -> None:
    if progress(done, total, text) is False:
        raise GivenUpError


def _refusal(image_id: str, name: str, split: str, reason: str) -> dict[str, str]:
    return {"image": name, "image_id": image_id, "split": split, "reason": reason}


def _nothing_usable(reasons: Sequence[str]) -> str:
    shown = " ".join(reasons[:3])
    rest = f" And {len(reasons) - 3} more." if len(reasons) > 3 else ""
    return f"None of what was given can be used, so nothing was added. {shown}{rest}".rstrip()
