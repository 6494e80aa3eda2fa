"""How far the pixels of a feature map see, followed layer by layer.

Feature ``i`` of a map of stride ``s`` depends on the input pixels ``s·i - before … s·i + after``.
The rules are those of Araujo, Norris and Sim: "Computing Receptive Fields of Convolutional Neural
Networks", Distill 2019, with the two sides kept apart and up-sampling added.
"""

from __future__ import annotations

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
