"""Learning from corrections: where the model a run begins with is wrong, voxels count more.

The masks were corrected since, so the mistakes are what that model says against what is painted
now. They are looked for once, at the start, and kept in the run's folder for a run that goes on
later; the project is left alone. The weights are `core.weighting.mistakes`'.
"""

from __future__ import annotations

import zipfile
import zlib
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from orgseg_app.core.weighting.balance import class_balance
from orgseg_app.core.weighting.mistakes import (
    BOTH,
    EXTRA,
    CorrectionSettings,
    correction_weights,
    mistaken,
)
from orgseg_app.files.atomic import replacing
from orgseg_app.files.project_file import ProjectFile
from orgseg_app.learn.checkpoint import Model, load_model
from orgseg_app.learn.data.dataset import Examples
from orgseg_app.learn.data.patches import IGNORED, LabelledPlane
from orgseg_app.learn.data.shelf import Shelf
from orgseg_app.learn.device import Device
from orgseg_app.learn.prediction.predictor import Predictor
from orgseg_app.learn.prediction.source import ProjectPlanes
from orgseg_app.learn.prediction.volumes import predicted_planes
from orgseg_app.runs.recipes.schema import Recipe

UNKNOWN = 254
"""Index of a class that the model knows and the project does not have; no target holds it."""

_HEADER_BYTES = 1024

Place = tuple[str, int]
"""Image id and z."""
_DAMAGE = (
    OSError,
    KeyError,
    ValueError,
    TypeError,
    EOFError,
    AttributeError,
    zipfile.BadZipFile,
    zlib.error,
)
Mistakes = dict[Place, NDArray[np.bool_]]


def with_corrections(
    recipe: Recipe,
    examples: Examples,
    snapshot: ProjectFile,
    settings: CorrectionSettings,
    *,
    start_path: Path,
    kept_path: Path,
    device: Device,
    say: Callable[[str], None],
    should_stop: Callable[[], bool] | None = None,
) -> tuple[Recipe, Examples]:
    """The same examples, with weights that make up for the mistakes of the model at the start.

    Parameters
    ----------
    recipe
        Of the run.
    examples
        What the run learns from; stored weights multiply those made here.
    snapshot
        Where its planes come from.
    settings
        Which mistakes count, and how much.
    start_path
        The model whose weights are the beginning.
    kept_path
        Where what was found is kept, so that a run that goes on sees the same.
    device
        Where it predicts.
    say
        Gets sentences: what was found.

    Returns
    -------
    Recipe, Examples
        Where there are mistakes, automatic class weights rest: the new weights balance the classes.

    Raises
    ------
    CheckpointError, DataError
        When the model is not there, or cannot look at these images.
    StopRequestedError
        When asked to stop meanwhile.
    """
    mistakes = _kept(kept_path, examples.train)
    if mistakes is None:
        model = load_model(start_path)
        say(f'Looking for the mistakes of "{model.name}" on {_planes(len(examples.train))}.')
        predictor = Predictor([model], device, say=say)
        mistakes = _found(examples, snapshot, settings, predictor, should_stop)
        _keep(kept_path, mistakes)
    wrong = sum(int(np.count_nonzero(plane)) for plane in mistakes.values())
    painted = sum(int(np.count_nonzero(p.target != IGNORED)) for p in examples.train)
    say(_sentence(settings, wrong, painted, mistakes))
    if not wrong:
        return recipe, examples
    if recipe.class_weights == "auto":
        say("The recipe's automatic class weights rest: the weights just made balance the classes.")
        recipe = msgspec.structs.replace(recipe, class_weights="none")
    shelf = Shelf(snapshot.path.parent)
    return recipe, replace(examples, train=_weighted(examples, mistakes, settings, shelf))


def _found(
    examples: Examples,
    snapshot: ProjectFile,
    settings: CorrectionSettings,
    predictor: Predictor,
    should_stop: Callable[[], bool] | None,
) -> Mistakes:
    table = _indices(predictor.models[0], examples)
    by_image: dict[str, dict[int, NDArray[np.uint8]]] = defaultdict(dict)
    for plane in examples.train:
        by_image[plane.image_id][plane.z] = plane.target
    found: Mistakes = {}
    for image_id, targets in by_image.items():
        source = ProjectPlanes(snapshot, snapshot.project.images[image_id])
        for predicted in predicted_planes(
            predictor, source, list(targets), should_stop=should_stop
        ):
            target = targets[predicted.z]
            found[image_id, predicted.z] = mistaken(
                target, table[predicted.mask], target != IGNORED, settings
            )
    return found


def _indices(model: Model, examples: Examples) -> NDArray[np.uint8]:
    """Table ``(256,)`` from a class id of the model to the project's class index, by name."""
    table = np.full(256, UNKNOWN, np.uint8)
    ours = {info.name.casefold(): index for index, info in enumerate(examples.classes)}
    for number, info in enumerate(model.classes):
        table[info.class_id] = 0 if number == 0 else ours.get(info.name.casefold(), UNKNOWN)
    return table


def _weighted(
    examples: Examples, mistakes: Mistakes, settings: CorrectionSettings, shelf: Shelf
) -> list[LabelledPlane]:
    """The training planes with their new weights, those in stacks included."""
    count = len(examples.classes)
    voxels = np.zeros(256, np.int64)
    for plane in examples.train:
        voxels += np.bincount(plane.target.ravel(), minlength=256)
    shares = class_balance({k: int(voxels[k]) for k in range(count)})
    balance = np.array([shares.get(k, 0.0) for k in range(count)])

    def reweighed(plane: LabelledPlane) -> LabelledPlane:
        wrong = mistakes[plane.image_id, plane.z]
        weights = correction_weights(plane.target, wrong, balance, settings)
        if plane.weights is not None:
            weights *= plane.weights
        return replace(plane, weights=shelf.put(weights))

    planes = [reweighed(plane) for plane in examples.train]
    new: dict[str, dict[int, NDArray[np.float32]]] = defaultdict(dict)
    for plane in planes:
        if plane.weights is not None:
            new[plane.image_id][plane.z] = plane.weights
    stacks = {
        plane.image_id: replace(plane.stack, weights=new[plane.image_id])
        for plane in planes
        if plane.stack is not None
    }
    return [replace(plane, stack=stacks.get(plane.image_id)) for plane in planes]


def _sentence(
    settings: CorrectionSettings, wrong: int, painted: int, mistakes: Mapping[Place, object]
) -> str:
    verb = {EXTRA: "extra", BOTH: "wrong"}.get(settings.mistakes, "missed")
    where = f"of {painted:,} painted voxels on {_planes(len(mistakes))}"
    least = (
        f" in regions of {settings.min_size} or more" if settings.min_size > 1 and not wrong else ""
    )
    if not wrong:
        return (
            f"The model it begins with has no voxel {verb}{least}, {where}: it goes on with "
            "ordinary weights."
        )
    return (
        f"The model it begins with has {wrong:,} voxels {verb}, {where}. Around them voxels count "
        f"up to {1 + settings.strength:g} times as much."
    )


def _planes(count: int) -> str:
    return f"{count} training plane{'' if count == 1 else 's'}"


# -- what is kept ----------------------------------------------------------------------------------


def _keep(path: Path, mistakes: Mistakes) -> None:
    """Write the mistakes beside the snapshot; without room they are looked for again next time."""
    with suppress(OSError), replacing(path) as draft, open(draft, "wb") as file:
        packed = {f"{i}/{z}": np.packbits(plane) for (i, z), plane in mistakes.items()}
        np.savez_compressed(file, **packed)  # type: ignore[arg-type]


def _kept(path: Path, planes: Sequence[LabelledPlane]) -> Mistakes | None:
    """What `_keep` wrote; None where it is not there, damaged, or of other planes.

    Runs come from strangers, too: nothing is unpacked that is larger than what belongs there.
    """
    found: Mistakes = {}
    try:
        with open(path, "rb") as opened, np.load(opened, allow_pickle=False) as file:
            for plane in planes:
                key, size = f"{plane.image_id}/{plane.z}", plane.target.size
                if file.zip.getinfo(f"{key}.npy").file_size > -(-size // 8) + _HEADER_BYTES:
                    return None
                bits = file[key]
                if bits.size != -(-size // 8):
                    return None
                whole = np.unpackbits(bits, count=size).astype(bool)
                found[plane.image_id, plane.z] = whole.reshape(plane.target.shape)
    except _DAMAGE:
        return None
    return found
