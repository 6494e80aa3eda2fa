"""What a training keeps on disk: the best state to use, the last one to go on from."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from orgseg_app.learn.checkpoint import Model, network_weights, read_checkpoint, save_model
from orgseg_app.learn.errors import CheckpointError
from orgseg_app.learn.training.improver import Improver
from orgseg_app.learn.training.pace import Pace
from orgseg_app.learn.training.resume import State, state_from


class Keeper:
    """Writes both checkpoints of one run.

    Parameters
    ----------
    best_path, last_path
        Where.
    model
        Facts that go into both; its network is the one that learns.
    improver, state
        What is kept.
    """

    def __init__(
        self, best_path: Path, last_path: Path, model: Model, improver: Improver, state: State
    ) -> None:
        self._best_path, self._last_path = best_path, last_path
        self._model, self._improver, self._state = model, improver, state

    def usable(self) -> Model:
        """The model as it would be used now: the mean of the weights where there is one."""
        return dataclasses.replace(
            self._model, network=self._improver.usable, step=self._state.step
        )

    def save_best(self) -> None:
        """Keep the present state as the best one."""
        save_model(self._best_path, self.usable())

    def save_last(self, pace: Pace) -> None:
        """Keep everything it takes to go on from here."""
        self._state.active_s = pace.active_s()
        with pace.saving():
            save_model(
                self._last_path,
                dataclasses.replace(self._model, step=self._state.step),
                more_tensors=self._improver.tensors(),
                more_facts={
                    "training": dataclasses.asdict(self._state),
                    "scaler": self._improver.facts(),
                },
            )


class Kept:
    """A ``last.ckpt`` that was read.

    Parameters
    ----------
    path
        Of the checkpoint.

    Raises
    ------
    CheckpointError
        With a sentence, when it is damaged or no state of a training.
    """

    def __init__(self, path: Path) -> None:
        self._name = path.name
        self._tensors, self._facts = read_checkpoint(path)
        self.state: State = self._checked(lambda: state_from(self._facts["training"]))

    def load_network(self, model: Model) -> None:
        """Give the network its weights."""
        self._checked(lambda: model.network.load_state_dict(network_weights(self._tensors)))

    def load_improver(self, improver: Improver) -> None:
        """Give the optimiser and the mean of the weights what they remember."""
        scaler: Mapping[str, Any] = self._facts.get("scaler") or {}
        self._checked(lambda: improver.load(self._tensors, scaler))

    def _checked(self, work: Any) -> Any:
        try:
            return work()
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise CheckpointError(
                f'"{self._name}" does not belong to this run, so it cannot be continued. Its best '
                "state, if there is one, is safe; train again."
            ) from error
