"""Going on from an earlier model: its weights, adapted where the new task differs."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from orgseg_app.learn.checkpoint import Model, load_model, outputs_of
from orgseg_app.learn.errors import CheckpointError
from orgseg_app.learn.networks.blank import blank_network


def start_from(path: Path, model: Model) -> list[str]:
    """Give a fresh network the weights of a checkpoint, as far as they fit.

    Weights of the same name and shape are taken as they are. Where the images have another number
    of channels, the first layer is the mean of its old channels for each new one, scaled so that
    its answers keep their size. Where the classes differ, the last layers keep what they know of
    classes of the same name, and begin anew with the others.

    Parameters
    ----------
    path
        A checkpoint of this program.
    model
        Fresh; its network's weights are changed, and it takes over the images that the earlier
        model has seen.

    Returns
    -------
    list of str
        Sentences about what was taken over and what begins anew.

    Raises
    ------
    CheckpointError
        With a sentence, when the checkpoint is damaged or of another network.
    """
    earlier = load_model(path)
    old, new = earlier.network.state_dict(), model.network.state_dict()
    if sum(key in old for key in new) < max(1, len(new) // 2):
        raise CheckpointError(
            f'The model "{earlier.name}" is another network than the one of this recipe, so it '
            "cannot be trained further. Choose a recipe with the same network."
        )
    outputs = _same_outputs(earlier, model)
    known = outputs_of(earlier.recipe, len(earlier.classes))
    by_class = _axes(model, outputs=len(outputs) + 1, channels=model.channels)
    by_channel = _axes(model, outputs=len(outputs), channels=model.channels + 1)
    adapted: dict[str, Tensor] = {}
    anew: list[str] = []
    for key, fresh in new.items():
        found = old.get(key)
        if found is not None and key in by_class:
            found = _of_classes(found, fresh, by_class[key], outputs, known)
        elif found is not None and key in by_channel:
            found = _mean_of_channels(found, fresh, by_channel[key][0])
        if found is not None and found.shape == fresh.shape:
            adapted[key] = found
        else:
            anew.append(key)
    model.network.load_state_dict({**new, **adapted})
    model.training_images = tuple(dict.fromkeys((*model.training_images, *earlier.training_images)))
    return _sentences(earlier, model, outputs[: len(model.classes)], anew)


def _same_outputs(old: Model, new: Model) -> list[int | None]:
    """For each new output that of the earlier model that stands for it.

    Classes go by their names; what is said of single objects is the same where both models learn
    the same of them.
    """
    known = {info.name.casefold(): k for k, info in enumerate(old.classes)}
    found = [0, *(known.get(info.name.casefold()) for info in new.classes[1:])]
    is_same = old.recipe.objects == new.recipe.objects
    more = range(new.target.outputs(new.network.dimensions))
    return [*found, *(len(old.classes) + k if is_same else None for k in more)]


def _axes(model: Model, *, outputs: int, channels: int) -> dict[str, tuple[int, int]]:
    """Tensors of the network whose shape follows such a change: along which axis, by how much."""
    other = blank_network(model.recipe.network, channels=channels, classes=outputs)
    shapes = {key: value.shape for key, value in other.state_dict().items()}
    found = {}
    for key, value in model.network.state_dict().items():
        if key in shapes and value.ndim == len(shapes[key]) and value.shape != shapes[key]:
            grown = [m - n for m, n in zip(shapes[key], value.shape, strict=True)]
            axis = next(a for a, by in enumerate(grown) if by)
            found[key] = axis, grown[axis]
    return found


def _of_classes(
    found: Tensor, fresh: Tensor, place: tuple[int, int], outputs: list[int | None], known: int
) -> Tensor | None:
    """The fresh tensor with what the earlier one holds for classes of the same name.

    Of an axis on which features follow the classes (the logits of a first answer, and the features
    they were made of), the features stay. None where it cannot be told what stands for which class.
    """
    if outputs == list(range(known)):
        return found
    axis, growth = place
    rest = [axis_size for a, axis_size in enumerate(found.shape) if a != axis]
    if found.ndim != fresh.ndim or rest != [n for a, n in enumerate(fresh.shape) if a != axis]:
        return None
    more = found.shape[axis] - known
    if growth != 1 or more < 0 or fresh.shape[axis] - len(outputs) != more:
        return None
    mixed = fresh.clone()
    if more:
        features = found.narrow(axis, known, more)
        mixed.narrow(axis, len(outputs), more).copy_(features)
    for index, source in enumerate(outputs):
        if source is not None:
            mixed.select(axis, index).copy_(found.select(axis, source))
    return mixed


def _mean_of_channels(found: Tensor, fresh: Tensor, axis: int) -> Tensor:
    """The earlier tensor for another number of channels; as it is when the number is the same."""
    before, now = found.shape[axis], fresh.shape[axis]
    if before == now:
        return found
    mean = found.mean(dim=axis, keepdim=True) * (before / now)
    return mean.expand_as(fresh).clone()


def _sentences(
    earlier: Model, model: Model, outputs: list[int | None], anew: list[str]
) -> list[str]:
    name = f'"{earlier.name}"' if earlier.name else "an earlier model"
    said = [f"Goes on from {name}, which was trained for {earlier.step} steps."]
    fresh = [c.name for c, known in zip(model.classes, outputs, strict=True) if known is None]
    dropped = len(earlier.classes) - len(fresh) - sum(o is not None for o in outputs)
    if fresh:
        listed = ", ".join(f'"{n}"' for n in fresh)
        said.append(f"The model did not know {listed}: for this the last layer begins anew.")
    elif dropped > 0:
        said.append("Classes that the project does not have are left out of the last layer.")
    if earlier.channels != model.channels:
        said.append(
            f"The model was trained on images with {earlier.channels} channels, these have "
            f"{model.channels}: its first layer takes the mean of what it knew."
        )
    if anew:
        said.append(f"{len(anew)} of the network's tensors do not fit and begin anew.")
    return said
