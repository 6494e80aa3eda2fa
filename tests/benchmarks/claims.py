"""Published claims about networks and losses, tested small on real images, three seeds each.

- Guo et al. 2021 (PRCV): joining fine detail from a stem at full size ("concat") helps FCN-32,
  SegNet, DeepLabv3+ and HRNet. Here with a fraction of their width, as many steps for both.
- Guo, Luo, Li and Yang 2020: on the ER, depth and width of a U-Net hardly matter; soft IoU as the
  loss beats binary cross-entropy.

Nothing here has a goal: the figures say what came out, for or against. A claim counts as seen when
the mean over the seeds says so by more than twice its standard error.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator

import numpy as np

from tests.benchmarks.figure import Figure
from tests.benchmarks.trained import Training, here, train

SETS = ("er", "nuclei")
NETWORKS = ("fcn32", "segnet", "deeplab", "hrnet")
WIDTH = 8
STEPS = 200
SEEDS = 3
DEPTHS, WIDTHS = (1, 2, 3, 4), (8, 16, 32)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Which of the claims."""
    parser.add_argument(
        "--claims", nargs="+", choices=CLAIMS, default=list(CLAIMS), help="claims: which"
    )


def measure(say: Callable[[str], None], options: argparse.Namespace) -> Iterator[Figure]:
    """One figure a claim and set."""
    for name in here(options.sets or SETS, say):

        def scores(*settings: str, name: str = name) -> list[float]:
            cells = [
                Training(
                    name,
                    settings=(f"steps={options.steps or STEPS}", "validate_every=50", *settings),
                    seed=seed,
                    clock=options.clock,
                )
                for seed in range(options.seeds or SEEDS)
            ]
            return [train(cell, options.kept, say).mean_iou for cell in cells]

        for claim in options.claims:
            yield from CLAIMS[claim](name, scores)


Scores = Callable[..., list[float]]


def _fusion(name: str, scores: Scores) -> Iterator[Figure]:
    for network in NETWORKS:
        plain, joined = (
            scores(f"network={network}", f"network.fusion={fusion}", f"network.width={WIDTH}")
            for fusion in ("origin", "concat")
        )
        yield _pair(f"claims.fusion.{name}.{network}", joined, plain, "as published")


def _losses(name: str, scores: Scores) -> Iterator[Figure]:
    soft, bce = scores("loss=soft_iou"), scores("loss=bce")
    yield _pair(f"claims.losses.{name}.soft_iou", soft, bce, "bce")


def _flat(name: str, scores: Scores) -> Iterator[Figure]:
    if name != "er":
        return
    means = {
        (depth, width): float(np.mean(scores(f"network.depth={depth}", f"network.width={width}")))
        for depth in DEPTHS
        for width in WIDTHS
    }
    rows = [
        f"depth {depth}: " + ", ".join(f"{means[depth, width]:.3f}" for width in WIDTHS)
        for depth in DEPTHS
    ]
    yield Figure(
        f"claims.unet.{name}.spread",
        max(means.values()) - min(means.values()),
        "IoU",
        n=len(means),
        note=f"widths {', '.join(map(str, WIDTHS))}; " + "; ".join(rows),
    )


def _pair(figure: str, new: list[float], old: list[float], old_name: str) -> Figure:
    """The mean of one against the other, and whether luck can explain the difference."""
    gain = float(np.mean(new) - np.mean(old))
    error = float(np.sqrt((np.var(new, ddof=1) + np.var(old, ddof=1)) / len(new)))
    seen = "seen" if gain > 2 * error else "contradicted" if gain < -2 * error else "not decided"
    return Figure(
        figure,
        float(np.mean(new)),
        "IoU",
        n=len(new),
        peer=float(np.mean(old)),
        ratio=float(np.mean(new) / np.mean(old)) if np.mean(old) else None,
        note=f"{seen}: {gain:+.3f} ± {error:.3f} against {old_name}; "
        + " ".join(f"{value:.3f}" for value in new)
        + " against "
        + " ".join(f"{value:.3f}" for value in old),
    )


CLAIMS = {"fusion": _fusion, "unet": _flat, "losses": _losses}
