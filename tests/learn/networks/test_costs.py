"""What a network is said to cost is what torch counts."""

from __future__ import annotations

import numpy as np
import pytest

from orgseg_app.learn.networks.registry import parameter_count
from orgseg_app.runs.recipes import costs
from orgseg_app.runs.recipes.cost_table import CostRow
from orgseg_app.runs.recipes.networks import NETWORK_NAMES
from orgseg_app.runs.recipes.schema import NetworkChoice
from tests.learn.networks.cases import CASES
from tests.learn.networks.measured import measured_features, measured_flops, on_paper

DEPTHS = [
    (case, depth)
    for case in CASES
    for depth in ((1, 4) if "depth" in NETWORK_NAMES[case[0]].fields else (4,))
]


@pytest.mark.parametrize(
    ("case", "depth"), DEPTHS, ids=[f"{'-'.join(case)}-{depth}" for case, depth in DEPTHS]
)
def test_costs_are_those_of_torch(case: tuple[str, str], depth: int) -> None:
    name, fusion = case
    channels, classes = 2, 3
    choice = NetworkChoice(name=name, fusion=fusion, width=20, depth=depth)  # type: ignore[arg-type]
    network = on_paper(choice, channels=channels, classes=classes)
    said = (
        costs.flops_per_pixel(choice, channels, classes),
        costs.parameters(choice, channels, classes),
        costs.features_per_pixel(choice),
    )
    found = (
        measured_flops(network, channels=channels),
        parameter_count(network),
        measured_features(network, channels=channels),
    )
    assert said == pytest.approx(found, rel=0.1), _row(name, fusion)


def test_cost_of_a_fitted_network_is_not_made_up() -> None:
    with pytest.raises(KeyError):
        costs.flops_per_pixel(NetworkChoice(name="pixel_classifier"))


def _row(name: str, fusion: str) -> str:
    """What the table should say."""
    factors, flops, sizes, kept = [], [], [], []
    for w, channels, classes in ((8, 1, 2), (8, 4, 2), (16, 1, 6), (32, 1, 2), (64, 4, 6)):
        choice = NetworkChoice(name=name, fusion=fusion, width=w)  # type: ignore[arg-type]
        network = on_paper(choice, channels=channels, classes=classes)
        factors.append((w**2, w * channels, w * classes, w, classes))
        flops.append(measured_flops(network, channels=channels))
        sizes.append(parameter_count(network))
        if channels == 1:
            kept.append((w, measured_features(network, channels=1)))
    work = _fit([row[:3] for row in factors], flops)
    held = _fit([(w, 1) for w, _ in kept], [number for _, number in kept])
    return f"({name!r}, {fusion!r}): {CostRow(work, _fit(factors, sizes), held)!r},"  # type: ignore[arg-type]


def _fit(factors: list[tuple[int, ...]], results: list[float]) -> tuple[float, ...]:
    matrix, wanted = np.array(factors, float), np.array(results, float)
    # Each case counts alike, however large the network.
    found, *_ = np.linalg.lstsq(matrix / wanted[:, None], np.ones(len(wanted)), rcond=None)
    return tuple(float(f"{value:.4g}") for value in found)
