"""How far the pixels of a feature map see, followed layer by layer.

Feature ``i`` of a map of stride ``s`` depends on the input pixels ``s·i - before … s·i + after``.
The rules are those of Araujo, Norris and Sim: "Computing Receptive Fields of Convolutional Neural
Networks", Distill 2019, with the two sides kept apart and up-sampling added.

`Reach` keeps the farthest of all features of a map. After up-sampling they differ, by their place
in the window that they came from; where a network pools again after that, the farthest is one or
two pixels too far. `Sight` follows each place on its own and is exact.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Reach:
    """Sight of one feature map along one axis; the image sees itself.

    Attributes
    ----------
    stride
        Input pixels from one feature to the next.
    before, after
        Input pixels seen to either side.

    Examples
    --------
    >>> Reach().conv().pool().conv().deconv()
    Reach(stride=1, before=4, after=5)
    """

    stride: int = 1
    before: int = 0
    after: int = 0

    def conv(self, kernel: int = 3, *, stride: int = 1, dilation: int = 1, times: int = 1) -> Reach:
        """After `times` convolutions (or poolings) of an odd kernel, the first with the stride."""
        if times == 0:
            return self
        side = self.stride * dilation * (kernel // 2)
        next_one = Reach(self.stride * stride, self.before + side, self.after + side)
        return next_one.conv(kernel, dilation=dilation, times=times - 1)

    def pool(self) -> Reach:
        """After pooling 2 × 2."""
        return Reach(2 * self.stride, self.before, self.after + self.stride)

    def unpool(self) -> Reach:
        """After each feature was put into its window of 2 × 2."""
        return Reach(self.stride // 2, self.before + self.stride // 2, self.after)

    def deconv(self) -> Reach:
        """After a transposed convolution 3 × 3 of stride 2."""
        half = self.stride // 2
        return Reach(half, self.before + half, self.after + half)

    def bilinear(self, factor: int) -> Reach:
        """After bilinear up-sampling by a power of 2."""
        if factor == 1:
            return self
        fine = self.stride // factor
        before = fine * (3 * factor // 2 - 1)
        return Reach(fine, self.before + before, self.after + fine * factor // 2)

    def join(self, other: Reach) -> Reach:
        """Of two maps of one stride put together."""
        return Reach(self.stride, max(self.before, other.before), max(self.after, other.after))

    @property
    def radius(self) -> int:
        """The longer side."""
        return max(self.before, self.after)


@dataclass(frozen=True)
class Sight:
    """Sight of the features of one map along one axis, place by place.

    Attributes
    ----------
    stride
        Input pixels from one feature to the next.
    first, last
        Feature ``i`` sees the input pixels ``stride · i + first[i % n] … stride · i + last[i % n]``
        where ``n`` is the number of places after which all repeats.

    Examples
    --------
    >>> Sight.of_image(2).conv().pool().conv().unpool()
    Sight(stride=1, first=(-3, -4), last=(4, 3))
    """

    stride: int
    first: tuple[int, ...]
    last: tuple[int, ...]

    @staticmethod
    def of_image(period: int) -> Sight:
        """The image, which sees itself; `period` is the stride of the coarsest map to come."""
        return Sight(1, (0,) * period, (0,) * period)

    def conv(self, kernel: int = 3, *, times: int = 1) -> Sight:
        """After convolutions of an odd kernel."""
        if times == 0:
            return self
        side, count = kernel // 2, len(self.first)
        around = [[(i + d, d * self.stride) for d in range(-side, side + 1)] for i in range(count)]
        return Sight(
            self.stride,
            tuple(min(self.first[i % count] + step for i, step in places) for places in around),
            tuple(max(self.last[i % count] + step for i, step in places) for places in around),
        ).conv(kernel, times=times - 1)

    def pool(self) -> Sight:
        """After pooling by 2."""
        first = zip(self.first[::2], self.first[1::2], strict=True)
        last = zip(self.last[::2], self.last[1::2], strict=True)
        return Sight(
            2 * self.stride,
            tuple(min(a, b + self.stride) for a, b in first),
            tuple(max(a, b + self.stride) for a, b in last),
        )

    def unpool(self) -> Sight:
        """After each feature was put into its window of 2, or a transposed convolution of 2."""
        half = self.stride // 2
        return Sight(
            half,
            tuple(place - step for place in self.first for step in (0, half)),
            tuple(place - step for place in self.last for step in (0, half)),
        )

    def join(self, other: Sight) -> Sight:
        """Of two maps of one stride put together."""
        return Sight(
            self.stride,
            tuple(map(min, self.first, other.first)),
            tuple(map(max, self.last, other.last)),
        )

    def down_and_up(self, convs: Sequence[int]) -> Sight:
        """After a U-Net's contracting and expanding path.

        Parameters
        ----------
        convs
            Convolutions of 3 at each level, finest first, on either path.
        """
        sights = [self.conv(times=convs[0])]
        for times in convs[1:]:
            sights.append(sights[-1].pool().conv(times=times))
        sight = sights.pop()
        for skip, times in zip(reversed(sights), reversed(convs[:-1]), strict=True):
            sight = sight.unpool().join(skip).conv(times=times)
        return sight

    @property
    def radius(self) -> int:
        """The farthest pixel that any place sees."""
        return max(-min(self.first), max(self.last))
