"""The dice: what is left to chance is drawn here, and nowhere else."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from orgseg_app.core.augmentation.plan import Act, Plan
from orgseg_app.core.augmentation.steps import Step, complete_params

Values = dict[str, float]
Draw = Callable[[np.random.Generator, Mapping[str, float]], list[Values]]

_SEEDS = 1 << 31


class Dice:
    """Throws for one patch after the other.

    Parameters
    ----------
    steps
        In order. Where a patch is turned, bent and moved comes first whatever their order, all in
        one go; the changes of its grey values follow in their order.

    Raises
    ------
    ValueError
        With a sentence, for an unknown step or a number out of range.
    """

    def __init__(self, steps: Sequence[Step]) -> None:
        self._steps = [
            (step.name, step.chance, complete_params(step.name, step.params)) for step in steps
        ]

    def throw(self, random: np.random.Generator, size: tuple[int, int] | int) -> Plan:
        """What happens to the next patch.

        Parameters
        ----------
        random
            Only this decides.
        size
            ``(height, width)`` of the patch, or its side, in pixels.
        """
        acts: list[Act] = []
        for name, chance, params in self._steps:
            if chance >= 1 or random.random() < chance:
                acts += [Act(name, values) for values in _DRAWS[name](random, params)]
        return Plan((size, size) if isinstance(size, int) else size, tuple(acts))


def draw(steps: Sequence[Step], random: np.random.Generator, size: tuple[int, int] | int) -> Plan:
    """Draw everything that is left to chance, for one patch.

    Parameters
    ----------
    steps, random, size
        As `Dice` and `Dice.throw`.

    Raises
    ------
    ValueError
        With a sentence, for an unknown step or a number out of range.
    """
    return Dice(steps).throw(random, size)


def _between(random: np.random.Generator, low: float, high: float) -> float:
    return low + (high - low) * random.random()


def _either_way(random: np.random.Generator, most: float) -> float:
    return _between(random, -most, most)


def _times(random: np.random.Generator, low: float, high: float) -> float:
    """A factor: halves as likely as doubles."""
    return math.exp(_between(random, math.log(low), math.log(high)))


def _d4(random: np.random.Generator, params: Mapping[str, float]) -> list[Values]:
    number = int(random.integers(8))
    return [{"quarters": number % 4, "flip": number // 4}]


def _flip_z(random: np.random.Generator, params: Mapping[str, float]) -> list[Values]:
    return [{"flip": int(random.integers(2))}]


def _rotate(random: np.random.Generator, params: Mapping[str, float]) -> list[Values]:
    return [{"degrees": _either_way(random, params["degrees"])}]


def _scale(random: np.random.Generator, params: Mapping[str, float]) -> list[Values]:
    return [{"factor": _times(random, params["smallest"], params["largest"])}]


def _shift(random: np.random.Generator, params: Mapping[str, float]) -> list[Values]:
    most = int(params["pixels"])
    down, right = random.integers(-most, most, 2, endpoint=True)
    return [{"down": int(down), "right": int(right)}]


def _shear(random: np.random.Generator, params: Mapping[str, float]) -> list[Values]:
    most = params["amount"]
    return [{"down": _either_way(random, most), "right": _either_way(random, most)}]


def _elastic(random: np.random.Generator, params: Mapping[str, float]) -> list[Values]:
    return [{**params, "seed": int(random.integers(_SEEDS))}]


def _brightness(random: np.random.Generator, params: Mapping[str, float]) -> list[Values]:
    return [{"amount": _either_way(random, params["amount"])}]


def _contrast(random: np.random.Generator, params: Mapping[str, float]) -> list[Values]:
    return [{"factor": _between(random, params["lowest"], params["highest"])}]


def _gamma(random: np.random.Generator, params: Mapping[str, float]) -> list[Values]:
    return [{"exponent": _times(random, params["lowest"], params["highest"])}]


def _blur(random: np.random.Generator, params: Mapping[str, float]) -> list[Values]:
    return [{"sigma": _between(random, 0.3, 1) * params["sigma"]}]


def _noise(random: np.random.Generator, params: Mapping[str, float]) -> list[Values]:
    amount = _between(random, 0, params["amount"])
    return [{"amount": amount, "seed": int(random.integers(_SEEDS))}]


def _cutout(random: np.random.Generator, params: Mapping[str, float]) -> list[Values]:
    longest = params["size"]
    return [
        {
            "y": random.random(),
            "x": random.random(),
            "height": _between(random, 0.4, 1) * longest,
            "width": _between(random, 0.4, 1) * longest,
        }
        for _ in range(int(params["holes"]))
    ]


_DRAWS: dict[str, Draw] = {
    "d4": _d4,
    "flip_z": _flip_z,
    "rotate": _rotate,
    "scale": _scale,
    "shift": _shift,
    "shear": _shear,
    "elastic": _elastic,
    "brightness": _brightness,
    "contrast": _contrast,
    "gamma": _gamma,
    "blur": _blur,
    "noise": _noise,
    "cutout": _cutout,
}
