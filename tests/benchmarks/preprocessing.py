"""Each preprocessing step on a picture of 2048² with 16 bits, against scikit-image where it has it.

One thread for both. They take turns, and the ratio is the median of the pairs; scikit-image is no
dependency of OrgSeg: where it cannot be imported, OrgSeg is measured alone. Its rolling ball has no
quicker way for large balls and its median none for 16 bits: they are measured on 512² (both).
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from orgseg_app.core.preprocessing.steps import PREPROCESSING, apply_steps, fit_reference
from orgseg_app.runs.recipes.schema import PreprocessStep
from tests.benchmarks.figure import Figure

SIZE, SMALL = 2048, 512
PAIRS = 3
BACKGROUND_MS = 1000.0

Peer = Callable[[NDArray[Any]], object]


def add_options(parser: argparse.ArgumentParser) -> None:
    """How large."""
    parser.add_argument("--plane", type=int, default=SIZE, metavar="N", help="preprocessing: side")


def measure(say: Callable[[str], None], options: argparse.Namespace) -> Iterator[Figure]:
    """Median milliseconds of each step."""
    import cv2

    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        peers = _peers(say)
        for name in PREPROCESSING:
            say(f"{name} on {options.plane} × {options.plane}")
            yield _figure(name, options.plane, None if name in _SLOW else peers.get(name))
        for name in _SLOW:
            if name in peers:
                say(f"{name} on {SMALL} × {SMALL}")
                yield _figure(name, SMALL, peers[name])
    finally:
        cv2.setNumThreads(threads)


def picture(size: int) -> NDArray[np.uint16]:
    """Shade, structure of some twenty voxels, and noise, in 12 of 16 bits: ``(1, size, size)``."""
    import cv2

    random = np.random.default_rng(0)
    coarse, shade = (
        cv2.GaussianBlur(random.normal(0, 1, (size, size)).astype(np.float32), (0, 0), sigma)
        for sigma in (6, 60)
    )
    values = 800 + 9000 * coarse + 60000 * shade + random.normal(0, 60, (size, size))
    return values.clip(0, 4095).astype(np.uint16)[None]


_SLOW = ("background", "median")


def _figure(name: str, size: int, peer: Peer | None) -> Figure:
    plane = picture(size)
    step = fit_reference(PreprocessStep(name), [plane])
    own, theirs = [], []
    for _ in range(PAIRS):
        own.append(_ms(lambda: apply_steps(plane, [step])))
        if peer is not None:
            theirs.append(_ms(lambda: peer(plane[0])))
    ratios = [a / b for a, b in zip(own, theirs, strict=False)]
    value = statistics.median(own)
    bounded = name == "background" and size == SIZE
    return Figure(
        name=f"preprocessing.{name}_{size}",
        value=value,
        unit="ms",
        n=PAIRS,
        goal=f"<= {BACKGROUND_MS:g} ms" if bounded else "",
        met=value <= BACKGROUND_MS if bounded else None,
        peer=statistics.median(theirs) if theirs else None,
        ratio=statistics.median(ratios) if ratios else None,
    )


def _ms(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return (time.perf_counter() - start) * 1000


def _peers(say: Callable[[str], None]) -> dict[str, Peer]:
    """The same with scikit-image, with the same settings where it has them."""
    try:
        from skimage import exposure, filters, restoration
    except ImportError:
        say("scikit-image is not there: OrgSeg alone")
        return {}
    ready = picture(SIZE)[0]

    def nlm(plane: NDArray[Any]) -> object:
        values = plane.astype(np.float32)
        noise = 60.0
        return restoration.denoise_nl_means(
            values, 5, 6, 0.8 * noise, fast_mode=True, sigma=noise, preserve_range=True
        )

    return {
        "minmax": lambda plane: exposure.rescale_intensity(plane, out_range=(0.0, 1.0)),
        "percentile": lambda plane: exposure.rescale_intensity(
            plane, tuple(np.percentile(plane, (1, 99.8))), (0.0, 1.0)
        ),
        "clahe": lambda plane: exposure.equalize_adapthist(plane, plane.shape[0] // 8),
        "clahe_fiji": lambda plane: exposure.equalize_adapthist(plane, 127),
        "equalise": lambda plane: exposure.equalize_hist(plane, 65536),
        "match": lambda plane: exposure.match_histograms(plane, ready),
        "gamma": lambda plane: exposure.adjust_gamma(plane, 0.5),
        "edge_enhance": lambda plane: filters.sobel(plane),
        "background": lambda plane: plane - restoration.rolling_ball(plane, radius=50),
        "gaussian": lambda plane: filters.gaussian(plane, 1.0, preserve_range=True),
        "median": lambda plane: filters.median(plane, np.ones((3, 3), bool)),
        "nlm": nlm,
    }
