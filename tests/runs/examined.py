"""Recorded examinations: as a job leaves them, without one."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from orgseg_app.core.metrics.judging import facts_of_image
from orgseg_app.runs.examination import FORMAT, LEVELS, VERSION
from orgseg_app.runs.examining import FILE, KIND
from orgseg_app.runs.folder import RunFolder
from orgseg_app.runs.process import write_json

SIDE = 24
CLASSES = [{"id": 1, "name": "background"}, {"id": 2, "name": "ER"}, {"id": 3, "name": "nucleus"}]


def truth(number: int) -> np.ndarray:
    """Class ids ``(1, Y, X)`` of an image: a bar and a square, elsewhere background."""
    mask = np.ones((1, SIDE, SIDE), np.uint8)
    mask[0, 4 + number % 3 : 8, 2:20] = 2
    mask[0, 12:20, 5:14] = 3
    return mask


@cache
def counted(number: int, lost: int) -> dict[str, Any]:
    """What is counted of an image with the last `lost` columns of both structures missed."""
    true = truth(number)
    guess = true.copy()
    guess[0, 4:8, 20 - lost : 20] = 1
    guess[0, 12:20, max(5, 14 - lost) : 14] = 1
    name = {"image": f"cell {number}", "image_id": f"i{number}", "sha256": "a", "mask_sha256": "b"}
    return name | facts_of_image(true, guess, [1, 2, 3])


def condition(lost: int, images: int = 7, **facts: Any) -> dict[str, Any]:
    """A condition under which so many columns are missed."""
    return {**facts, "images": [counted(number, lost) for number in range(images)]}


def levels() -> dict[str, Any]:
    """Two levels; the detail of the finest counts most."""
    return _whole(
        LEVELS,
        [
            condition(0, kind="intact"),
            condition(2, kind="coarse", level=0, scale=1),
            condition(8, kind="fine", level=0, scale=1),
            condition(0, kind="coarse", level=1, scale=2),
            condition(3, kind="fine", level=1, scale=2),
        ],
    )


def noise() -> dict[str, Any]:
    """Gaussian noise takes more than photon noise does."""
    rows = [condition(0, kind="intact")]
    for kind, losses in (("gaussian", (0, 4, 9)), ("poisson", (0, 1, 3))):
        for snr, lost in zip((30.0, 10.0, 0.0), losses, strict=True):
            rows.append(condition(lost, kind=kind, snr_db=snr))
    return _whole("noise", rows)


def _whole(what: str, conditions: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "version": VERSION,
        "run": "",
        "examined_run": "",
        "what": what,
        "split": "validation",
        "classes": CLASSES,
        "method": {"seed": 0, "snr_db": []},
        "refused": [],
        "conditions": conditions,
        "seconds": 1.0,
    }


def record_examination(examined: RunFolder, kept: dict[str, Any]) -> RunFolder:
    """The folder of a job that has ended, beside the run's."""
    from orgseg_app.runs.events import EventWriter

    job = RunFolder.create(
        examined.path.parent,
        name=f"{kept['what']} of {examined.name}",
        kind=KIND,
        extra={
            "examined_run": examined.run_id,
            "what": kept["what"],
            "on": kept["split"],
        },
    )
    write_json(job.path / FILE, kept | {"run": job.run_id, "examined_run": examined.run_id})
    with EventWriter(job.events_path) as events:
        events.write("finished", run=job.run_id, message="Done.", validation=None, test=None)
    return RunFolder(job.path)
