"""A training whose requests come at chosen steps, and whose events are kept."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from orgseg_app.files.project_file import ProjectFile
from orgseg_app.learn.checkpoint import load_model
from orgseg_app.learn.control import Control
from orgseg_app.learn.data.dataset import read_examples
from orgseg_app.learn.device import cpu_device
from orgseg_app.learn.training.trainer import Trainer
from orgseg_app.runs.recipes.schema import Recipe

Make = Callable[..., ProjectFile]
Event = tuple[str, dict[str, Any]]


class Script(Control):
    """Requests at chosen steps instead of files."""

    def __init__(self, *, stop_at: int = 10**9, pause_at: int = -1, pause_looks: int = 3) -> None:
        super().__init__(Path("nowhere"))
        self.trainer: Trainer | None = None
        self.stop_at, self.pause_at, self.pause_looks = stop_at, pause_at, pause_looks

    def stop_asked(self) -> bool:
        return self.trainer is not None and self.trainer.state.step >= self.stop_at

    def pause_asked(self) -> bool:
        if self.trainer is None or self.trainer.state.step != self.pause_at:
            return False
        self.pause_looks -= 1
        return self.pause_looks >= 0


@pytest.fixture
def train(make_project: Make, tmp_path: Path) -> Callable[..., tuple[Trainer, list[Event]]]:
    project = make_project()

    def build(
        recipe: Recipe, folder: str = "run", control: Script | None = None, **more: Any
    ) -> tuple[Trainer, list[Event]]:
        (tmp_path / folder).mkdir(exist_ok=True)
        events: list[Event] = []
        control = control or Script()
        best = tmp_path / folder / "best.ckpt"

        def tell(name: str, **fields: Any) -> None:
            if name == "validation" and fields["best"]:
                assert load_model(best).step == fields["step"]  # written before it is announced
            events.append((name, fields))

        trainer = Trainer(
            recipe,
            read_examples(project, recipe),
            more.pop("device", None) or cpu_device(),
            best_path=best,
            last_path=tmp_path / folder / "last.ckpt",
            run_id="0123456789ab",
            name="test",
            control=control,
            tell=tell,
            **more,
        )
        control.trainer = trainer
        return trainer, events

    return build
