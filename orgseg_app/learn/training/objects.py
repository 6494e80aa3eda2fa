"""How a trained model's maps become objects: fitted on the validation images, kept with it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from orgseg_app.core.instances.fitting import Fitted, fit
from orgseg_app.learn.checkpoint import load_model, save_model
from orgseg_app.learn.data.patches import LabelledPlane
from orgseg_app.learn.device import Device
from orgseg_app.learn.prediction.predictor import Predictor
from orgseg_app.learn.training.validation import validation_examples


def fit_objects(
    path: Path,
    planes: Sequence[LabelledPlane],
    device: Device,
    *,
    say: Callable[[str], None],
    should_stop: Callable[[], bool] | None = None,
) -> Fitted | None:
    """Give the model in a checkpoint the grouping parameters that suit the validation planes.

    Test images are not looked at. Weights stay as they are, bit by bit.

    Parameters
    ----------
    path
        Of the model; replaced in one step.
    planes
        Of the validation, prepared as the model's recipe says.
    device
        Where to predict.
    say
        Gets a sentence about the result.
    should_stop
        Asked between tiles.

    Returns
    -------
    Fitted or None
        None for a model that knows no objects.

    Raises
    ------
    OutOfMemoryError, StopRequestedError, CheckpointError
        As whoever predicts and reads.
    OSError
        When the disk refuses; the model is then as it was.
    """
    model = load_model(path)
    if not model.target.layers:
        return None
    examples = validation_examples(
        Predictor([model], device, say=say), planes, should_stop=should_stop
    )
    fitted = fit(examples)
    save_model(path, replace(model, grouping=fitted.parameters))
    say(
        "How objects are told apart was fitted on the validation images: mean average precision "
        f"{fitted.score:.3f}, with the usual values {fitted.score_before:.3f}."
    )
    return fitted
