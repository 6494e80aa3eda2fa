"""Costs of the networks that are not added up layer by layer: coefficients, measured with torch.

``tests/learn/networks/test_costs.py`` compares them with torch and says what a row has to be when
a network changes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class CostRow:
    """Coefficients of one network with one kind of fusion.

    Attributes
    ----------
    work : tuple of float
        Operations a pixel for width², width · channels, width · classes.
    size : tuple of float
        Parameters for width², width · channels, width · classes, width, classes.
    kept : tuple of float
        Numbers kept a pixel for width, and beside it.
    """

    work: tuple[float, float, float]
    size: tuple[float, float, float, float, float]
    kept: tuple[float, float]

    def flops(self, width: int, channels: int, classes: int) -> float:
        """Operations a pixel, forward."""
        return width * _sum(self.work, (width, channels, classes))

    def parameters(self, width: int, channels: int, classes: int) -> float:
        """Numbers learnt."""
        factors = (width**2, width * channels, width * classes, width, classes)
        return _sum(self.size, factors)

    def features(self, width: int) -> float:
        """Numbers of 32 bits a pixel kept for the way back."""
        return _sum(self.kept, (width, 1))


def _sum(coefficients: tuple[float, ...], factors: tuple[float, ...]) -> float:
    return sum(c * f for c, f in zip(coefficients, factors, strict=True))


ROWS: Mapping[tuple[str, str], CostRow] = {
    ("agnet", "origin"): CostRow(
        (484, 34.04, 4.069), (9095, 135, 14.69, 253.4, 10), (49.22, 2.335)
    ),
    ("fcn32", "origin"): CostRow((158.6, 18, 1), (4549, 9, 0.5, 112.5, 1), (7.586, 1)),
    ("fcn32", "concat"): CostRow((167.6, 18, 1), (4932, 9, 0.5, 112.5, 1), (8.055, 1)),
    ("fcn32", "add"): CostRow((158.6, 18, 1), (4549, 9, 0.5, 112.5, 1), (8.055, 1)),
    ("fcn16", "origin"): CostRow((158.6, 18, 1), (4549, 9, 0.5, 112.5, 1), (7.617, 1)),
    ("fcn8", "origin"): CostRow((158.6, 18, 1), (4549, 9, 0.5, 112.5, 1), (7.68, 1)),
    ("segnet", "origin"): CostRow((297, 18, 18), (7182, 9, 9, 248, 1), (17.81, 1)),
    ("segnet", "concat"): CostRow((373.5, 18, 18), (8523, 9, 9, 248, 1), (19.71, 1)),
    ("segnet", "add"): CostRow((297, 18, 18), (7182, 9, 9, 248, 1), (17.81, 1)),
    ("deeplab", "origin"): CostRow((163.8, 24.5, 0.5), (14460, 49, 4, 1711, 1), (12.36, 1)),
    ("deeplab", "concat"): CostRow((998.5, 98, 8), (15120, 49, 4, 1760, 1), (68.83, 1)),
    ("deeplab", "add"): CostRow((904, 98, 8), (14850, 49, 4, 1760, 1), (67.01, 1)),
    ("deeplab", "none"): CostRow((654.5, 98, 2), (15080, 49, 4, 1758, 1), (52.83, 1)),
    ("deeplab50", "origin"): CostRow((127.6, 24.5, 0.5), (9834, 49, 4, 895.5, 1), (9.164, 1)),
    ("deeplab50", "concat"): CostRow((854, 98, 8), (10490, 49, 4, 944, 1), (56.07, 1)),
    ("deeplab50", "add"): CostRow((759.5, 98, 8), (10220, 49, 4, 944, 1), (54.26, 1)),
    ("deeplab50", "none"): CostRow((510, 98, 2), (10460, 49, 4, 942, 1), (40.07, 1)),
    ("hrnet", "origin"): CostRow((112.2, 9, 30), (9727, 18, 15, 660, 1), (40.56, 1)),
    ("hrnet", "concat"): CostRow((1795, 36, 30), (9727, 18, 15, 660, 1), (186.9, 1)),
    ("pspnet", "origin"): CostRow((346.9, 24.5, 0.375), (11930, 49, 12, 918, 2), (16.17, 1)),
    ("icnet", "origin"): CostRow((9.891, 8.375, 0.3281), (2917, 53.5, 6, 170, 3), (1.124, 1.25)),
    ("danet", "origin"): CostRow(
        (374.3, 69.85, 49.29), (11560, 49, 23.84, 903.7, 6), (16.61, 16.53)
    ),
}
"""``(name, fusion)`` → row: work, size, kept."""
