"""Checkpoints: one safetensors file with all facts as JSON in its header. Never a pickle.

A checkpoint is written beside its target, pushed to the disk and put in place in one step, so that
there is always a whole one; a fingerprint of all weights tells a damaged one. ``last.ckpt`` holds
what it takes to continue, ``best.ckpt`` what it takes to use the model.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from orgseg_app.core.classes import ClassInfo, check_classes
from orgseg_app.core.instances.grouping import GroupingParameters
from orgseg_app.core.instances.targets import TARGETS, Target
from orgseg_app.files.atomic import replacing
from orgseg_app.learn.errors import CheckpointError
from orgseg_app.learn.networks.blank import blank_network
from orgseg_app.learn.networks.network import Network
from orgseg_app.runs.errors import RecipeError
from orgseg_app.runs.model_file import ENSEMBLE_FORMAT
from orgseg_app.runs.recipes.networks import NETWORK_NAMES
from orgseg_app.runs.recipes.reading import recipe_from_builtins, recipe_to_builtins
from orgseg_app.runs.recipes.schema import Recipe

CHECKPOINT_FORMAT = "orgseg-checkpoint"
CHECKPOINT_VERSION = 1
_PREFIX = "network."


@dataclass
class Model:
    """A network with weights, and everything needed to use it on new images.

    Attributes
    ----------
    network
        On the processor, in evaluation mode when loaded.
    recipe
        With which it was trained; says how images are prepared.
    classes
        In order: position k is what output k of the network stands for.
    channels
        Image channels it takes.
    is_rgb
        True when it learned from colour pictures.
    pixel_size_um
        ``(z, y, x)`` of the images it learned from, or None when unknown or mixed.
    run_id, name
        The run it comes from.
    training_images
        Fingerprints of the images it learned from or was selected on; scores on them say little.
    step
        Steps it was trained for.
    grouping
        How its maps become objects, fitted on the validation images; the usual way where None.
    """

    network: Network
    recipe: Recipe
    classes: tuple[ClassInfo, ...]
    channels: int
    is_rgb: bool = False
    pixel_size_um: tuple[float, float, float] | None = None
    run_id: str = ""
    name: str = ""
    training_images: tuple[str, ...] = ()
    step: int = 0
    grouping: GroupingParameters | None = None

    @property
    def target(self) -> Target:
        """What it says of single objects; its outputs come after those of the classes."""
        return TARGETS[self.recipe.objects]

    @property
    def class_ids(self) -> tuple[int, ...]:
        """Ids in the order of the network's outputs."""
        return tuple(c.class_id for c in self.classes)

    def facts(self) -> dict[str, Any]:
        """Everything but the weights, ready for JSON."""
        return {
            "recipe": recipe_to_builtins(self.recipe),
            "classes": [
                {"id": c.class_id, "name": c.name, "colour": c.colour} for c in self.classes
            ],
            "channels": self.channels,
            "is_rgb": self.is_rgb,
            "pixel_size_um": self.pixel_size_um,
            "run": self.run_id,
            "name": self.name,
            "training_images": list(self.training_images),
            "step": self.step,
            **({} if self.grouping is None else {"grouping": self.grouping.to_dict()}),
        }


def save_model(
    path: Path,
    model: Model,
    *,
    more_tensors: Mapping[str, Tensor] | None = None,
    more_facts: Mapping[str, Any] | None = None,
) -> None:
    """Write a checkpoint; the file that was there stays until the new one is whole.

    Parameters
    ----------
    path
        Where.
    model
        What to write; its network may be on any device.
    more_tensors, more_facts
        State of the training, to continue from.

    Raises
    ------
    OSError
        When the disk refuses; the file that was there is then untouched.
    """
    tensors = {_PREFIX + k: v for k, v in model.network.state_dict().items()}
    tensors.update(more_tensors or {})
    plain = {k: v.detach().cpu().contiguous() for k, v in tensors.items()}
    facts = {
        "format": CHECKPOINT_FORMAT,
        "version": CHECKPOINT_VERSION,
        "fingerprint": fingerprint(plain),
        **model.facts(),
        **(more_facts or {}),
    }
    data = safetensors.torch.save(plain, {"orgseg": json.dumps(facts)})
    with replacing(path) as draft:
        draft.write_bytes(data)


def read_checkpoint(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors and facts of a checkpoint, checked for damage.

    Raises
    ------
    CheckpointError
        With a sentence: not there, foreign, damaged, or of a newer version.
    """
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
            facts = _parse_facts(path, header.get("orgseg", ""))
            # Copies: a mapped file could not be replaced on Windows.
            tensors = {key: file.get_tensor(key).clone() for key in file.keys()}  # noqa: SIM118
    except FileNotFoundError:
        raise CheckpointError(
            f'There is no model at "{path.name}". It may have been moved or deleted.'
        ) from None
    except OSError as error:
        raise CheckpointError(
            f'The model "{path.name}" could not be read: {error.strerror or error}.'
        ) from error
    except (safetensors.SafetensorError, ValueError, RuntimeError, MemoryError) as error:
        raise CheckpointError(
            f'"{path.name}" is not an OrgSeg model, or it is damaged. '
            "Nothing was changed; use another model or train again."
        ) from error
    if facts.get("fingerprint") != fingerprint(tensors):
        raise CheckpointError(
            f'The model "{path.name}" is damaged: its weights are not what was written. '
            "Take a copy of it, or train again."
        )
    return tensors, facts


def load_model(path: Path) -> Model:
    """A model ready to use, on the processor, in evaluation mode.

    Parameters
    ----------
    path
        A checkpoint, or a run folder (its best checkpoint is taken).

    Raises
    ------
    CheckpointError
        With a sentence, as `read_checkpoint`, or when facts and weights do not fit together.
    """
    path = path / "best.ckpt" if path.is_dir() else path
    tensors, facts = read_checkpoint(path)
    return model_from(path, tensors, facts)


def model_from(path: Path, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> Model:
    """The model in what `read_checkpoint` returned.

    Raises
    ------
    CheckpointError
        When facts and weights do not fit together, or there are several models.
    """
    if facts.get("format") == ENSEMBLE_FORMAT:
        raise CheckpointError(
            f'"{path.name}" is an ensemble of several models, where one is wanted. Choose one of '
            "the runs that it was made of."
        )
    try:
        size = facts.get("pixel_size_um")
        recipe = recipe_from_builtins(facts["recipe"])
        classes = check_classes(
            ClassInfo(int(c["id"]), str(c["name"]), str(c["colour"])) for c in facts["classes"]
        )
        channels = int(facts["channels"])
        network = blank_network(
            recipe.network, channels=channels, classes=outputs_of(recipe, len(classes))
        )
        grouping = facts.get("grouping")
        network.load_state_dict(network_weights(tensors), assign=True)
        network.requires_grad_(True)
        return Model(
            network=network.eval(),
            recipe=recipe,
            classes=classes,
            channels=channels,
            is_rgb=bool(facts.get("is_rgb", False)),
            pixel_size_um=None if size is None else _three_sizes(size),
            run_id=str(facts.get("run", "")),
            name=str(facts.get("name", "")),
            training_images=tuple(str(s) for s in facts.get("training_images", ())),
            step=int(facts.get("step", 0)),
            grouping=None if grouping is None else GroupingParameters.from_dict(grouping),
        )
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise CheckpointError(
            f'The model "{path.name}" cannot be used: its description and its weights do not fit '
            "together. Take a copy of it, or train again."
        ) from error
    except RecipeError as error:
        raise CheckpointError(f'The model "{path.name}" cannot be used. {error}') from error


def outputs_of(recipe: Recipe, classes: int) -> int:
    """Outputs of a recipe's network: one a class, then what it says of single objects."""
    dimensions = NETWORK_NAMES[recipe.network.name].dimensions
    return classes + TARGETS[recipe.objects].outputs(dimensions)


def network_weights(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of the network itself, under their names in it."""
    return {k.removeprefix(_PREFIX): v for k, v in tensors.items() if k.startswith(_PREFIX)}


def _parse_facts(path: Path, text: str) -> dict[str, Any]:
    if not text:
        raise CheckpointError(
            f'"{path.name}" holds weights of another program, not an OrgSeg model. '
            "Choose the best.ckpt of a run."
        )
    facts = json.loads(text)
    formats = (CHECKPOINT_FORMAT, ENSEMBLE_FORMAT)
    if not isinstance(facts, dict) or facts.get("format") not in formats:
        raise CheckpointError(f'"{path.name}" is not an OrgSeg model.')
    if int(facts.get("version", 0)) > CHECKPOINT_VERSION:
        raise CheckpointError(
            f'The model "{path.name}" was made by a newer version of OrgSeg. '
            "Update OrgSeg to use it."
        )
    return facts


def _three_sizes(values: Any) -> tuple[float, float, float]:
    z, y, x = (float(v) for v in values)
    if not all(math.isfinite(v) and v > 0 for v in (z, y, x)):
        raise ValueError("a pixel size is above 0")
    return z, y, x


def fingerprint(tensors: Mapping[str, Tensor]) -> str:
    """A hash of names, types, shapes and numbers: tells a damaged file."""
    digest = hashlib.sha256()
    for key in sorted(tensors):
        value = tensors[key]
        digest.update(f"{key}{value.dtype}{tuple(value.shape)}".encode())
        digest.update(value.contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
