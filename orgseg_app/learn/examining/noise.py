"""Images with noise added, at a signal-to-noise ratio that is said exactly.

The ratio is that of the image's variance to the mean variance of the added noise, in decibels, of
each channel by itself over the planes that are examined::

    SNR = 10 · log10( var(I) / mean(σ²) )

``var(I)`` is what the picture varies by, so that a constant offset of the camera (which tells
nothing) does not count as signal, as it would with the mean square. Noise that the picture has
already is part of `I`; the ratio speaks of what is added.

- ``"gaussian"``: the same σ everywhere, as a camera's readout.
- ``"poisson"``: photon noise. The darkest voxel d is taken for no light, and light above it for
  ``g · (I − d)`` photons, of which as many are drawn as Poisson's law says (σ² = (I − d) / g);
  ``g = mean(I − d) · 10^(SNR/10) / var(I)`` gives the ratio wanted.

Noise is laid on the intensities as they lie in the file, before anything is prepared; what comes
out is rounded and limited to the kind of number of the image, as a camera does, and is of that
kind. A channel without any variance is left as it is. The project's images are never changed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from orgseg_app.learn.prediction.source import PlaneSource

GAUSSIAN, POISSON = "gaussian", "poisson"
_KINDS = (GAUSSIAN, POISSON)


@dataclass(frozen=True)
class ChannelFacts:
    """What the noise of a channel depends on.

    Attributes
    ----------
    darkest, mean, variance
        Of its intensities over the planes examined.
    """

    darkest: float
    mean: float
    variance: float


def channel_facts(source: PlaneSource, planes: Sequence[int]) -> list[ChannelFacts]:
    """Of each channel of an image, over some of its planes; read one by one.

    Voxels that are no number (NaN, infinite) do not count.
    """
    channels = source.shape[0]
    darkest = np.full(channels, np.inf)
    count, total, squares = np.zeros(channels), np.zeros(channels), np.zeros(channels)
    first = np.zeros(channels)
    for number, z in enumerate(planes):
        plane = np.asarray(source.read_plane(z))
        for c in range(channels):
            values = plane[c][np.isfinite(plane[c])].astype(np.float64)
            if not len(values):
                continue
            if not number:
                first[c] = values.mean()  # squares of what is left are small: nothing is lost
            darkest[c] = min(darkest[c], values.min())
            count[c] += len(values)
            total[c] += (values - first[c]).sum()
            squares[c] += ((values - first[c]) ** 2).sum()
    known = np.maximum(count, 1)
    means, variances = total / known, squares / known - (total / known) ** 2
    return [
        ChannelFacts(float(d), float(f + m), float(max(v, 0.0)))
        for d, f, m, v in zip(darkest, first, means, variances, strict=True)
    ]


def noisy(
    values: NDArray[Any],
    facts: ChannelFacts,
    *,
    kind: str,
    snr_db: float,
    random: np.random.Generator,
) -> NDArray[Any]:
    """Intensities with noise, of the same kind of number.

    Parameters
    ----------
    values
        ``(Y, X)`` or of any other shape.
    facts
        Of the channel they belong to.
    kind
        ``"gaussian"`` or ``"poisson"``; see the module.
    snr_db
        Signal-to-noise ratio in decibels; see the module.
    random
        Where chance comes from.

    Examples
    --------
    At 0 dB the noise varies as much as the image does:

    >>> image = np.tile(np.float32([100, 300]), (400, 200))
    >>> facts = ChannelFacts(darkest=100.0, mean=200.0, variance=100.0**2)
    >>> random = np.random.default_rng(0)
    >>> found = noisy(image, facts, kind="gaussian", snr_db=0.0, random=random)
    >>> bool(abs(np.var(found - image) / 100**2 - 1) < 0.02)
    True
    """
    if kind not in _KINDS:
        raise ValueError(f"Noise is {' or '.join(_KINDS)}, not {kind!r}.")
    if facts.variance <= 0:
        return values
    power = facts.variance / 10 ** (snr_db / 10)
    light = values.astype(np.float64)
    if kind == GAUSSIAN:
        found = light + random.standard_normal(values.shape) * power**0.5
    else:
        above = facts.mean - facts.darkest
        gain = above / power
        photons = np.maximum(light - facts.darkest, 0.0) * gain
        seen = np.isfinite(photons)
        found = light.copy()
        found[seen] = facts.darkest + random.poisson(photons[seen]) / gain
    if values.dtype.kind in "ui":
        limits = np.iinfo(values.dtype)
        found = np.clip(np.rint(found), limits.min, limits.max)
    return found.astype(values.dtype)


class NoisyPlanes:
    """The planes of an image, each with noise that is the same whenever it is read.

    Parameters
    ----------
    source
        The image.
    facts
        Of its channels.
    kind, snr_db
        As for `noisy`.
    seed, name
        The same seed and name (a fingerprint of the image) give the same noise; ratios share the
        draws of Gaussian noise, so that what differs between them is how strong it is.
    """

    def __init__(
        self,
        source: PlaneSource,
        facts: Sequence[ChannelFacts],
        *,
        kind: str,
        snr_db: float,
        seed: int,
        name: str,
    ) -> None:
        self._source, self._facts = source, facts
        self._kind, self._snr_db = kind, snr_db
        digest = hashlib.sha256(name.encode()).digest()
        self._seed = [seed, int.from_bytes(digest[:8], "big"), _KINDS.index(kind)]
        self.shape = source.shape
        self.pixel_size_um = source.pixel_size_um
        if hasattr(source, "folder"):
            self.folder = source.folder

    def read_plane(self, z: int) -> NDArray[Any]:
        """One plane, ``(C, Y, X)``, of the same kind of number as the image's."""
        plane = np.asarray(self._source.read_plane(z))
        random = np.random.default_rng([*self._seed, z])
        return np.stack(
            [
                noisy(channel, facts, kind=self._kind, snr_db=self._snr_db, random=random)
                for channel, facts in zip(plane, self._facts, strict=True)
            ]
        )
