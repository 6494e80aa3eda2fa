"""Preparing a plane for a network: pure functions, the same in training and in prediction.

A recipe lists steps by name; each step takes a plane ``(C, Y, X)`` of any supported dtype and gives
float32 of the same shape, every channel on its own. Steps keep the bit depth in mind: contrast and
histograms work on the 8 or 16 bits that the camera gave, never on a copy squeezed to 8. What lies
between two steps is float32; a step that wants 8 or 16 bits makes 16 of it, from the 0.1st to the
99.9th percentile.

A good order: noise first (median, non-local means, Gaussian), then background, then contrast
(local contrast, equalisation, matching, gamma, inversion, edges), and a normalisation (percentile,
standardisation, full range) last. Noise removed after local contrast has been amplified before, and
smoothing alone keeps the camera's units, which are far from the 0…1 that networks like.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from orgseg_app.core.parameter import Parameter, complete
from orgseg_app.core.preprocessing import (
    background,
    clahe,
    clahe_fiji,
    denoising,
    filters,
    histogram,
    scaling,
)
from orgseg_app.core.preprocessing.part import Fit, Fitted, FloatPlane, Params, Sample, whole

Plane = NDArray[np.generic]
"""``(C, Y, X)``: uint8, uint16 or float32."""


class Step(Protocol):
    """What a recipe's preprocessing step looks like from here."""

    @property
    def name(self) -> str:
        """A key of `PREPROCESSING`."""

    @property
    def params(self) -> Mapping[str, float]:
        """Values that differ from the defaults."""

    @property
    def reference(self) -> Sequence[float]:
        """What it has learnt of the training images; empty for most."""


StepT = TypeVar("StepT", bound=Step)


@dataclass(frozen=True)
class Preprocess:
    """One way of preparing a plane.

    Attributes
    ----------
    title, explanation, source
        For people: a name, one line of why, and where it comes from.
    fit
        What it has to know of a channel before it can do a part of it.
    learns
        What that depends on: nothing, how often which values occur, or voxels side by side.
    is_local
        Whether a voxel's new value depends on its surroundings.
    params
        Its numbers by name.
    counted
        As `fit`, from the histogram of an 8 or 16 bit channel; None where that does not do.
    reference
        What it learns of the training images, which then goes with the model; None for nothing.
    whole
        Does a whole plane where there is a quicker way than by parts; None otherwise.
    """

    title: str
    explanation: str
    source: str
    fit: Fit
    learns: Literal["", "values", "surroundings"] = "values"
    is_local: bool = False
    params: Mapping[str, Parameter] = field(default_factory=dict)
    counted: Callable[[scaling.Histogram, Params, Sequence[float]], Fitted] | None = None
    reference: Callable[[Iterable[Plane]], tuple[float, ...]] | None = None
    whole: Callable[[Plane, Params], FloatPlane] | None = None

    def run(self, plane: Plane, params: Params, reference: Sequence[float] = ()) -> FloatPlane:
        """A plane ``(C, Y, X)`` with the step done; `params` are complete and checked."""
        if self.whole is not None:
            return self.whole(plane, params)
        out = np.empty(plane.shape, np.float32)
        parts = of_channels(reference, len(plane))
        for c, (channel, part) in enumerate(zip(plane, parts, strict=True)):
            place = whole(channel)
            fitted = self.fit(Sample([channel], [place], place.whole_yx), params, part)
            out[c] = fitted.of(channel, place)
        return out


_RADIUS = "How far around a pixel is looked, in pixels."

PREPROCESSING: dict[str, Preprocess] = {
    "percentile": Preprocess(
        title="Percentile range",
        explanation="Stretches brightness from a dark to a bright percentile to 0…1, so that "
        "images of different exposure look alike and a few hot pixels do not matter.",
        source="Usual in fluorescence microscopy; e.g. Weigert et al. 2018, Nature Methods 15",
        fit=scaling.percentile,
        counted=scaling.counted_percentile,
        params={
            "low": Parameter(1.0, 0.0, 49.0, "Dark end: this % of the pixels lie below 0."),
            "high": Parameter(99.8, 51.0, 100.0, "Bright end: this % of the pixels lie below 1."),
        },
    ),
    "zscore": Preprocess(
        title="Mean and spread",
        explanation="Subtracts the mean and divides by the standard deviation of each image.",
        source="'norm' in Guo, Luo, Li, Yang 2020 (image standardisation)",
        fit=scaling.zscore,
        counted=scaling.counted_zscore,
    ),
    "minmax": Preprocess(
        title="Full range",
        explanation="Stretches brightness from the darkest to the brightest pixel to 0…1.",
        source="Textbook min-max scaling",
        fit=scaling.minmax,
        counted=scaling.counted_minmax,
    ),
    "clahe": Preprocess(
        title="CLAHE",
        explanation="Evens out contrast region by region, so that faint structures show beside "
        "bright ones; amplifies noise a little.",
        source="Zuiderveld 1994, Graphics Gems IV; clip 2, 8 × 8 tiles as in Guo et al. 2020",
        fit=clahe.Equalisation.fit,
        whole=clahe.clahe,
        params={
            "clip_limit": Parameter(2.0, 0.1, 40.0, "How much contrast may rise; higher, noisier."),
            "tiles": Parameter(8.0, 1.0, 64.0, "Regions along each side of the image."),
        },
    ),
    "clahe_fiji": Preprocess(
        title="CLAHE as in Fiji",
        explanation="Evens out contrast around each pixel with the settings of Fiji's CLAHE; the "
        "region has a size in pixels, whatever the size of the image. Usual for electron "
        "microscopy.",
        source="Fiji, Enhance Local Contrast (Saalfeld 2009); Zuiderveld 1994; block 127, slope "
        "1.5 as UNI-EM's example (Urakubo et al. 2019, Sci. Rep. 9)",
        fit=clahe_fiji.clahe_fiji,
        is_local=True,
        params={
            "block": Parameter(127.0, 3.0, 1023.0, "Size of the region around a pixel, in pixels."),
            "bins": Parameter(256.0, 8.0, 1024.0, "Steps of grey that are told apart."),
            "max_slope": Parameter(1.5, 1.0, 20.0, "How much contrast may rise; 1 changes little."),
        },
    ),
    "equalise": Preprocess(
        title="Histogram equalisation",
        explanation="Spreads the grey values so that each occurs equally often: the strongest "
        "contrast for the image as a whole.",
        source="Gonzalez & Woods, Digital Image Processing; an axis of the study of Guo et al. "
        "2020",
        fit=histogram.equalise,
        counted=histogram.counted_equalise,
    ),
    "match": Preprocess(
        title="Match the training images",
        explanation="Gives each image the distribution of grey values that the training images "
        "have on average. It is learnt when a training starts; a preview before shows the image "
        "as it is.",
        source="Histogram matching with averaged quantiles: Nyúl, Udupa, Zhang 2000, IEEE TMI 19",
        fit=histogram.match,
        counted=histogram.counted_match,
        reference=histogram.quantiles_of,
    ),
    "gamma": Preprocess(
        title="Gamma",
        explanation="Brightens dark structures (below 1) or darkens them (above 1), with black "
        "and white as they are.",
        source="Power-law transform; Gonzalez & Woods, Digital Image Processing",
        fit=scaling.gamma,
        counted=scaling.counted_gamma,
        params={"gamma": Parameter(0.5, 0.1, 5.0, "The exponent of brightness from 0 to 1.")},
    ),
    "invert": Preprocess(
        title="Invert",
        explanation="Swaps dark and bright, for structures that are dark on bright ground.",
        source="'invert' in Guo et al. 2020: the brightest value less each value, scaled to 0…1",
        fit=scaling.invert,
        counted=scaling.counted_invert,
    ),
    "edge_enhance": Preprocess(
        title="Edge enhancement",
        explanation="Adds the edges to the image, half and half, so that thin tubes and membranes "
        "stand out.",
        source="'edgeEnhance' in Guo et al. 2020: half the sum of image and Sobel edges, each "
        "divided by its maximum",
        fit=filters.edge_enhance,
        learns="surroundings",
        is_local=True,
    ),
    "background": Preprocess(
        title="Background subtraction",
        explanation="Removes smooth background, as a ball rolled along under the grey values "
        "finds it. For dark structures on bright ground, invert first.",
        source="Rolling ball: Sternberg 1983, IEEE Computer 16; shrunk as ImageJ describes it",
        fit=background.background,
        is_local=True,
        params={
            "radius": Parameter(
                50.0, 2.0, 500.0, "Of the ball in pixels: larger than the largest structure."
            )
        },
    ),
    "gaussian": Preprocess(
        title="Gaussian blur",
        explanation="Blurs noise away, and fine detail with it. Follow it with a normalisation.",
        source="Convolution with a Gaussian, cut off at four standard deviations",
        fit=filters.gaussian,
        learns="",
        is_local=True,
        params={"sigma": Parameter(1.0, 0.1, 50.0, "Width of the blur in pixels.")},
    ),
    "median": Preprocess(
        title="Median filter",
        explanation="Removes single bright or dark pixels and keeps edges. Follow it with a "
        "normalisation.",
        source="Tukey 1977, Exploratory Data Analysis",
        fit=filters.median,
        learns="",
        is_local=True,
        params={"radius": Parameter(1.0, 1.0, 4.0, _RADIUS + " Above 2 it takes seconds.")},
    ),
    "nlm": Preprocess(
        title="Non-local means",
        explanation="Removes noise and keeps fine structure, by averaging places that look alike. "
        "Takes seconds. Follow it with a normalisation.",
        source="Buades, Coll, Morel 2005, CVPR, and 2011, IPOL 1",
        fit=denoising.non_local_means,
        learns="surroundings",
        is_local=True,
        params={
            "strength": Parameter(
                0.8, 0.1, 5.0, "Of smoothing, as a multiple of the image's own noise."
            ),
            "patch_radius": Parameter(2.0, 1.0, 5.0, "Of what is compared, in pixels."),
            "search_radius": Parameter(
                6.0, 2.0, 15.0, "How far places that look alike are looked for, in pixels."
            ),
        },
    ),
}
"""The steps that a recipe may name."""


def complete_params(name: str, params: Mapping[str, float]) -> dict[str, float]:
    """All parameters of a step: those given, the defaults for the others.

    Raises
    ------
    ValueError
        With a sentence, for an unknown step or parameter or a value out of range.
    """
    if name not in PREPROCESSING:
        known = ", ".join(PREPROCESSING)
        raise ValueError(f"There is no preprocessing called {name!r}; there is {known}.")
    return complete("preprocessing", name, params, PREPROCESSING[name].params)


def apply_steps(plane_cyx: NDArray[Any], steps: Sequence[Step]) -> FloatPlane:
    """A plane as the network gets it.

    Parameters
    ----------
    plane_cyx
        ``(C, Y, X)``, uint8, uint16 or float32.
    steps
        In order; each has a ``name`` of `PREPROCESSING`, ``params`` and a ``reference``.

    Returns
    -------
    float32 (C, Y, X)
        Without steps the plain values as float32, what is not finite as 0.

    Raises
    ------
    ValueError
        For an unknown step, a parameter out of range, a reference learnt from images with another
        number of channels or a plane with another number of axes.
    """
    if plane_cyx.ndim != 3:
        raise ValueError(f"A plane has the axes (C, Y, X), not the shape {plane_cyx.shape}.")
    out: NDArray[Any] = plane_cyx
    for step in steps:
        params = complete_params(step.name, step.params)
        out = PREPROCESSING[step.name].run(out, params, step.reference)
    if out.dtype != np.float32 or not steps:
        out = np.nan_to_num(out.astype(np.float32), nan=0.0, posinf=0.0, neginf=0.0)
    return out


def of_channels(reference: Sequence[float], channels: int) -> list[Sequence[float]]:
    """A reference parted among channels: nothing for each where nothing has been learnt.

    Raises
    ------
    ValueError
        With a sentence, when it was learnt from another number of channels.
    """
    if not reference:
        return [()] * channels
    size = histogram.QUANTILES
    if len(reference) != channels * size:
        raise ValueError(
            f"The reference was learnt from images with {len(reference) / size:g} channels, and "
            f"this one has {channels}. Train again with images of one kind."
        )
    return [reference[c * size : (c + 1) * size] for c in range(channels)]


def fit_reference(step: StepT, planes: Iterable[Plane]) -> StepT:
    """A step with what it learns of the training images.

    Parameters
    ----------
    step
        Most learn nothing and come back as they are, without a look at the planes.
    planes
        ``(C, Y, X)`` each, as they reach the step.

    Raises
    ------
    ValueError
        When the planes have different numbers of channels.
    """
    learn = PREPROCESSING[step.name].reference if step.name in PREPROCESSING else None
    if learn is None:
        return step
    made: StepT = type(step)(step.name, dict(step.params), learn(planes))  # type: ignore[call-arg]
    return made


def fit_references(
    steps: Sequence[StepT], planes: Callable[[], Iterable[Plane]]
) -> tuple[StepT, ...]:
    """The steps of a recipe with what they learn of the training images.

    Parameters
    ----------
    steps
        In order.
    planes
        Gives the training planes ``(C, Y, X)`` as the camera gave them, once for each step that
        learns; never called when none does.
    """
    done: tuple[StepT, ...] = ()
    for step in steps:
        if PREPROCESSING[step.name].reference is not None:
            before = done
            step = fit_reference(step, (apply_steps(p, before) if before else p for p in planes()))
        done = (*done, step)
    return done
