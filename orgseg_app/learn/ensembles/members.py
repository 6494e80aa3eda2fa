"""Models for a job, whatever they lie in: a checkpoint, a run's folder, or an ensemble's one file.

An ensemble's file is a safetensors file like a checkpoint: the weights of member 1 are called
``1/network.…``, and the facts list what each member says about itself. Never a pickle.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import safetensors.torch
from torch import Tensor

from orgseg_app.files.atomic import replacing
from orgseg_app.learn.checkpoint import (
    CHECKPOINT_VERSION,
    Model,
    fingerprint,
    model_from,
    read_checkpoint,
)
from orgseg_app.learn.errors import CheckpointError
from orgseg_app.runs.model_file import ENSEMBLE_FORMAT

MEAN, VOTE = "mean", "vote"


@dataclass
class Loaded:
    """One model, or several that decide together.

    Attributes
    ----------
    models
        The best first.
    how
        `MEAN` of their probabilities, or `VOTE`.
    turns
        Whether images are turned and mirrored, too, and the answers averaged.
    run_id, name
        Of the run whose model this is.
    training_images
        Fingerprints of the images that any of them, or a run it was chosen against, has learned
        from or was chosen on.
    """

    models: list[Model]
    how: str = MEAN
    turns: bool = False
    run_id: str = ""
    name: str = ""
    training_images: tuple[str, ...] = ()

    @property
    def model(self) -> Model:
        """One that stands for all where classes, channels and what was seen are asked for."""
        return replace(
            self.models[0],
            run_id=self.run_id,
            name=self.name,
            training_images=self.training_images,
        )

    @property
    def is_vote(self) -> bool:
        """Whether each has one vote."""
        return self.how == VOTE


@dataclass
class Member:
    """A model that may decide, and what its run says about it.

    Attributes
    ----------
    model
        With the name of its run.
    facts
        As in the ensemble's request; see `runs.ensembles.prepare_ensemble`.
    scores
        On the validation images by itself; empty until it is judged.
    """

    model: Model
    facts: Mapping[str, Any]
    scores: dict[str, Any] = field(default_factory=dict)

    def learned_from(self, sha256: str) -> bool:
        """Whether it, or the model it was trained further from, has learned from an image."""
        before = set(self.model.training_images) - set(self.facts.get("known") or ())
        return sha256 in before or sha256 in (self.facts.get("learned_from") or ())

    @property
    def mean_iou(self) -> float:
        """By itself; below 0 where there is none."""
        value = self.scores.get("mean_iou")
        return -1.0 if value is None else float(value)


def load_models(path: Path) -> Loaded:
    """The model or models at a path, ready to use, on the processor, in evaluation mode.

    Parameters
    ----------
    path
        A checkpoint or model file, an ensemble's file, or the folder of a run of either kind.

    Raises
    ------
    CheckpointError
        With a sentence, as `learn.checkpoint.read_checkpoint`.
    """
    path = path / "best.ckpt" if path.is_dir() else path
    tensors, facts = read_checkpoint(path)
    if facts.get("format") != ENSEMBLE_FORMAT:
        model = model_from(path, tensors, facts)
        return Loaded(
            [model], run_id=model.run_id, name=model.name, training_images=model.training_images
        )
    members = facts.get("members")
    is_whole = isinstance(members, list) and all(isinstance(one, dict) for one in members)
    if not members or not is_whole:
        raise CheckpointError(f'The ensemble "{path.name}" holds no model. Make it again.')
    return Loaded(
        models=[
            model_from(path, _of_member(tensors, number), member)
            for number, member in enumerate(members, 1)
        ],
        how=VOTE if facts.get("how") == VOTE else MEAN,
        turns=bool(facts.get("turns")),
        run_id=str(facts.get("run", "")),
        name=str(facts.get("name", "")),
        training_images=tuple(str(s) for s in facts.get("training_images") or ()),
    )


def load_together(paths: Sequence[Path]) -> Loaded:
    """Several models as one: their members all count alike.

    One path is that model or ensemble as it is. Of several, the members decide by votes only where
    all of them do, and images are turned where any of them wants that.

    Raises
    ------
    CheckpointError
        As `load_models`.
    """
    found = [load_models(path) for path in paths]
    if len(found) == 1:
        return found[0]
    seen = dict.fromkeys(sha256 for one in found for sha256 in one.training_images)
    return Loaded(
        models=[model for one in found for model in one.models],
        how=VOTE if all(one.is_vote for one in found) else MEAN,
        turns=any(one.turns for one in found),
        name=", ".join(one.name for one in found),
        training_images=tuple(seen),
    )


def save_ensemble(path: Path, ensemble: Loaded) -> None:
    """Write an ensemble into one file; the file that was there stays until the new one is whole.

    Raises
    ------
    OSError
        When the disk refuses; the file that was there is then untouched.
    """
    tensors = {
        f"{number}/network.{key}": value.detach().cpu().contiguous()
        for number, model in enumerate(ensemble.models, 1)
        for key, value in model.network.state_dict().items()
    }
    facts = {
        "format": ENSEMBLE_FORMAT,
        "version": CHECKPOINT_VERSION,
        "fingerprint": fingerprint(tensors),
        "members": [model.facts() for model in ensemble.models],
        "how": ensemble.how,
        "turns": ensemble.turns,
        "run": ensemble.run_id,
        "name": ensemble.name,
        "training_images": list(ensemble.training_images),
    }
    data = safetensors.torch.save(tensors, {"orgseg": json.dumps(facts)})
    with replacing(path) as draft:
        draft.write_bytes(data)


def _of_member(tensors: Mapping[str, Tensor], number: int) -> dict[str, Tensor]:
    prefix = f"{number}/"
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}


def read_member(folder: Path, member: Mapping[str, Any]) -> Model:
    """A member's model from the folder of an ensemble, as its request names it.

    Raises
    ------
    CheckpointError
        With a sentence, when it is not there or damaged.
    """
    name = str(member.get("name") or "")
    path = folder / Path(str(member.get("file") or "")).name
    try:
        tensors, facts = read_checkpoint(path)
        return replace(model_from(path, tensors, facts), name=name)
    except CheckpointError as error:
        raise CheckpointError(
            f'The copy of the model "{name}" in this ensemble cannot be used. {error} The runs it '
            "was made of are as they were; make the ensemble again."
        ) from error
