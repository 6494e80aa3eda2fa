"""What a model costs, measured on the machine that made it: read back from ``metrics.json``.

The job that scores a model writes ``"model_facts"`` there (`learn.examining.model_facts`); this
side needs no torch. Facts that a job could not measure, or wrote damaged, are None: never a guess.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from orgseg_app.runs.folder import RunFolder
from orgseg_app.runs.process import read_json

KEY = "model_facts"
"""Where they stand in ``metrics.json``."""

PER_MEGAVOXEL = "_per_megavoxel"
"""How the names of facts end that are told for a million voxels of the image."""


@dataclass(frozen=True)
class ModelFacts:
    """What a model, or all members of an ensemble together, is made of and takes.

    Attributes
    ----------
    parameters : int or None
        Numbers that were learnt; of an ensemble, those of all members.
    multiply_adds_per_megavoxel : float or None
        Multiplications with their additions in convolutions and matrix products for a million
        voxels of the image, as the network runs on one tile; of an ensemble, the sum. Halos of
        tiles that overlap, and turns of the image, come on top.
    seconds_per_megavoxel : float or None
        Of reading, preparing, predicting and stitching a million voxels, over all held-out images
        (or one patch, where there are none).
    voxels_timed : int or None
        How many voxels that is measured over.
    memory_bytes : int or None
        The most memory that the job's process held while it predicted (resident set, looked at
        100 times a second): Python, torch and what training left included.
    card_memory_bytes : int or None
        The same of the graphics card, counted by torch; None where the processor computed.
    checkpoint_bytes : int or None
        Size of the model's file.
    device : str
        As in the events: ``"CPU · 2 threads · bf16"``.
    processor : str
        The processor's name.
    tile_zyx : tuple of int or None
        (depth, height, width) of the largest tile that went through the network, in voxels.
    members : int
        Networks that decide together; 1 for a single model.
    """

    parameters: int | None = None
    multiply_adds_per_megavoxel: float | None = None
    seconds_per_megavoxel: float | None = None
    voxels_timed: int | None = None
    memory_bytes: int | None = None
    card_memory_bytes: int | None = None
    checkpoint_bytes: int | None = None
    device: str = ""
    processor: str = ""
    tile_zyx: tuple[int, int, int] | None = None
    members: int = 1

    def to_dict(self) -> dict[str, Any]:
        """As in ``metrics.json`` and in what commands print; `from_dict` reads it back."""
        found = asdict(self)
        return found | {"tile_zyx": None if self.tile_zyx is None else list(self.tile_zyx)}

    @classmethod
    def from_dict(cls, kept: Mapping[str, Any]) -> ModelFacts:
        """Facts that a job wrote; a damaged one is as good as none.

        Examples
        --------
        >>> ModelFacts.from_dict({"parameters": 7, "memory_bytes": "much"}).memory_bytes is None
        True
        """
        return cls(
            parameters=_whole(kept.get("parameters")),
            multiply_adds_per_megavoxel=_positive(kept.get("multiply_adds_per_megavoxel")),
            seconds_per_megavoxel=_positive(kept.get("seconds_per_megavoxel")),
            voxels_timed=_whole(kept.get("voxels_timed")),
            memory_bytes=_whole(kept.get("memory_bytes")),
            card_memory_bytes=_whole(kept.get("card_memory_bytes")),
            checkpoint_bytes=_whole(kept.get("checkpoint_bytes")),
            device=_text(kept.get("device")),
            processor=_text(kept.get("processor")),
            tile_zyx=_tile(kept.get("tile_zyx")),
            members=_whole(kept.get("members")) or 1,
        )


def facts_of_model(run: RunFolder) -> ModelFacts | None:
    """What a run's model costs; None where no job has measured it (older runs, unfinished ones)."""
    return facts_in(read_json(run.metrics_path))


def facts_by_run(runs: Iterable[RunFolder]) -> dict[str, ModelFacts]:
    """By run id: each run's own facts, else those of the newest job that has scored it since.

    Parameters
    ----------
    runs : iterable of RunFolder
        Of every kind, oldest first, as `runs.folder.list_runs` gives them.
    """
    own: dict[str, ModelFacts] = {}
    scored: dict[str, ModelFacts] = {}
    for run in runs:
        if (facts := facts_of_model(run)) is None:
            continue
        if run.kind == "score":
            scored[str(run.request.get("scored_run"))] = facts
        else:
            own[run.run_id] = facts
    return scored | own


def facts_in(metrics: Mapping[str, Any] | None) -> ModelFacts | None:
    """As `facts_of_model`, of ``metrics.json`` that is read already."""
    kept = metrics.get(KEY) if metrics is not None else None
    return ModelFacts.from_dict(kept) if isinstance(kept, dict) else None


@dataclass(frozen=True)
class FactWords:
    """How one fact is called and written.

    Attributes
    ----------
    name
        Of the field of `ModelFacts`.
    title
        In a table's head and in the details, without the unit.
    unit
        Of `value`; empty for a plain number.
    about
        One sentence: what it is, for a tooltip.
    value
        The fact as a number in that unit, to sort by; None where not known. All of them are
        better when lower.
    text
        The same for people, with its unit; "–" where not known.
    """

    name: str
    title: str
    unit: str
    about: str
    value: Callable[[ModelFacts], float | None]
    text: Callable[[ModelFacts], str]


def count_text(count: float | None) -> str:
    """A large number in few digits.

    Examples
    --------
    >>> [count_text(n) for n in (None, 0, 950, 12_345, 1_220_000, 31_000_000, 5.42e10)]
    ['–', '0', '950', '12.3 k', '1.22 M', '31 M', '54.2 G']
    """
    if count is None:
        return "–"
    for factor, letter in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if count >= 0.9995 * factor:
            return f"{_three_digits(count / factor)} {letter}"
    return _three_digits(count)


def bytes_text(count: int | None) -> str:
    """A size for people: decimal units, as file managers and makers of cards count.

    Examples
    --------
    >>> [bytes_text(n) for n in (None, 900, 4_900_000, 1_340_000_000)]
    ['–', '900 B', '4.9 MB', '1.34 GB']
    """
    if count is None:
        return "–"
    for factor, letter in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if count >= 0.9995 * factor:
            return f"{_three_digits(count / factor)} {letter}"
    return f"{count} B"


def seconds_text(seconds: float | None) -> str:
    """A time for people.

    Examples
    --------
    >>> [seconds_text(s) for s in (None, 0.0342, 2.31, 75.0, 400.0)]
    ['–', '34.2 ms', '2.31 s', '75 s', '6.7 min']
    """
    if seconds is None:
        return "–"
    if seconds < 1:
        return f"{_three_digits(seconds * 1e3)} ms"
    return f"{_three_digits(seconds)} s" if seconds < 120 else f"{seconds / 60:.1f} min"


def tile_text(tile_zyx: tuple[int, int, int] | None) -> str:
    """The size of a tile, planes left out where it has one.

    Examples
    --------
    >>> tile_text((1, 512, 512)), tile_text((16, 96, 96)), tile_text(None)
    ('512 × 512', '16 × 96 × 96', '–')
    """
    if tile_zyx is None:
        return "–"
    return " × ".join(str(n) for n in (tile_zyx if tile_zyx[0] > 1 else tile_zyx[1:]))


FACTS = (
    FactWords(
        "parameters",
        "Parameters",
        "",
        "Numbers that the network learnt.",
        lambda facts: facts.parameters,
        lambda facts: count_text(facts.parameters),
    ),
    FactWords(
        "multiply_adds_per_megavoxel",
        "Operations",
        "multiply-adds per megavoxel",
        "Multiplications with their additions for a million voxels of the image.",
        lambda facts: facts.multiply_adds_per_megavoxel,
        lambda facts: count_text(facts.multiply_adds_per_megavoxel),
    ),
    FactWords(
        "seconds_per_megavoxel",
        "Time",
        "s per megavoxel",
        "Time to predict a million voxels, measured on the held-out images on this device.",
        lambda facts: facts.seconds_per_megavoxel,
        lambda facts: seconds_text(facts.seconds_per_megavoxel),
    ),
    FactWords(
        "memory_bytes",
        "Memory",
        "GB",
        "The most memory that the job held while it predicted.",
        lambda facts: None if facts.memory_bytes is None else facts.memory_bytes / 1e9,
        lambda facts: bytes_text(facts.memory_bytes),
    ),
    FactWords(
        "card_memory_bytes",
        "Memory of the card",
        "GB",
        "The most memory that the job held on the graphics card while it predicted.",
        lambda facts: None if facts.card_memory_bytes is None else facts.card_memory_bytes / 1e9,
        lambda facts: bytes_text(facts.card_memory_bytes),
    ),
    FactWords(
        "checkpoint_bytes",
        "Size",
        "MB",
        "Size of the model's file.",
        lambda facts: None if facts.checkpoint_bytes is None else facts.checkpoint_bytes / 1e6,
        lambda facts: bytes_text(facts.checkpoint_bytes),
    ),
)
"""The facts that are numbers, in the order of tables and reports."""


def fact_rows(facts: ModelFacts) -> list[tuple[str, str, str]]:
    """All that is known of a model, for a list: title, text with its unit, explanation."""
    per = " per megavoxel"
    rows = [
        (
            fact.title + (per if fact.name.endswith(PER_MEGAVOXEL) else ""),
            fact.text(facts),
            fact.about,
        )
        for fact in FACTS
        if fact.value(facts) is not None
    ]
    if facts.members > 1:
        rows.insert(0, ("Members", str(facts.members), "Networks that decide together."))
    if facts.tile_zyx is not None:
        about = "The largest piece that went through the network at once, in voxels."
        rows.append(("Tile", tile_text(facts.tile_zyx), about))
    if facts.device:
        rows.append(("Device", facts.device, "Where it was measured."))
    if facts.processor and facts.processor != facts.device:
        rows.append(("Processor", facts.processor, "Of the computer that measured."))
    return rows


def _three_digits(value: float) -> str:
    digits = 2 if value < 9.995 else 1 if value < 99.95 else 0
    text = f"{value:.{digits}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _positive(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        return float(value) if math.isfinite(value) and value >= 0 else None
    except OverflowError:  # a whole number no float holds
        return None


def _whole(value: object) -> int | None:
    found = _positive(value)
    return None if found is None else int(found)


def _text(value: object) -> str:
    return value[:200] if isinstance(value, str) else ""


def _tile(value: object) -> tuple[int, int, int] | None:
    if not isinstance(value, list) or len(value) != 3:
        return None
    z, y, x = (_whole(n) or 0 for n in value)
    return (z, y, x) if min(z, y, x) > 0 else None
