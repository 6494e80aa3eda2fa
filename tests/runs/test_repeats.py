"""Which runs are repeats of one training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from orgseg_app.runs.folder import RunFolder
from orgseg_app.runs.recipes.presets import PRESETS
from orgseg_app.runs.recipes.schema import Recipe
from orgseg_app.runs.repeats import repeats

FAST = PRESETS["fast"]
IMAGES = [{"id": "a", "split": "train", "mask_sha256": "1"}]


def made(
    folder: Path, name: str, *, recipe: Recipe | None = FAST, kind: str = "train", **extra: Any
) -> RunFolder:
    extra = {"images": IMAGES} | extra
    return RunFolder.create(folder, name=name, kind=kind, recipe=recipe, extra=extra)


def seeded(seed: int, **changes: Any) -> Recipe:
    return msgspec.structs.replace(FAST, seed=seed, **changes)


def grouped(*runs: RunFolder) -> list[list[str]]:
    return [[run.name for run in group] for group in repeats(runs)]


def test_seeds_started_together_are_repeats(tmp_path: Path) -> None:
    runs = [
        made(tmp_path, f"s{n}", recipe=seeded(n), seeds={"group": "g", "number": n, "of": 2})
        for n in (1, 2)
    ]
    other = made(tmp_path, "other", recipe=seeded(3, steps=77))
    assert grouped(runs[0], other, runs[1]) == [["s1", "s2"], ["other"]]


def test_recipes_that_differ_in_the_seed_alone(tmp_path: Path) -> None:
    first, second = made(tmp_path, "first"), made(tmp_path, "second", recipe=seeded(5))
    named = made(tmp_path, "named", recipe=seeded(6, name="mine", about="words"))
    longer = made(tmp_path, "longer", recipe=seeded(7, steps=999))
    masks = [{"id": "a", "split": "train", "mask_sha256": "2"}]
    repainted = made(tmp_path, "repainted", recipe=seeded(8), images=masks)
    assert grouped(first, second, named, longer, repainted) == [
        ["first", "second", "named"],
        ["longer"],
        ["repainted"],
    ]


def test_the_same_seed_twice_is_no_repeat(tmp_path: Path) -> None:
    assert grouped(made(tmp_path, "one"), made(tmp_path, "two")) == [["one"], ["two"]]


def test_runs_that_began_elsewhere_stand_alone(tmp_path: Path) -> None:
    fresh, further = made(tmp_path, "fresh"), made(tmp_path, "further", recipe=seeded(1))
    further.start_path.write_bytes(b"weights")
    corrected = made(tmp_path, "corrected", recipe=seeded(2), corrections={})
    ensemble = made(tmp_path, "ensemble", recipe=None, kind="ensemble")
    assert len(grouped(fresh, further, corrected, ensemble)) == 4


def test_cells_of_a_study(tmp_path: Path) -> None:
    def cell(seed: int, place: str, fold: int | None) -> RunFolder:
        study = {"id": "x", "places": [["loss", place]], "fold": fold, "repeat": seed}
        return made(tmp_path, f"{place} {seed} {fold}", recipe=seeded(seed), study=study)

    runs = [cell(0, "dice", 0), cell(1, "dice", 0), cell(2, "dice", 1), cell(3, "bce", 0)]
    assert grouped(*runs) == [["dice 0 0", "dice 1 0"], ["dice 2 1"], ["bce 3 0"]]
