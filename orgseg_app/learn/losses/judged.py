"""What a loss judges: a network's answer beside what is painted, each form of it made once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional


def in_float32(values: Tensor) -> Tensor:
    """Half precision as float32; float64 (tests of gradients) as it is."""
    return values if values.dtype == torch.float64 else values.float()


class _Difference(torch.autograd.Function):
    """Second logit less the first; one pass each way, where autograd's own takes three."""

    @staticmethod
    def forward(ctx: Any, logits: Tensor) -> Tensor:
        ctx.save_for_backward(logits)
        real = in_float32(logits)
        return real[:, 1] - real[:, 0]

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        (logits,) = ctx.saved_tensors
        out = torch.empty_like(logits)
        out[:, 1] = gradients[0]
        torch.neg(out[:, 1], out=out[:, 0])
        return out


@dataclass(frozen=True)
class Judged:
    """A network's answer to a batch, and what is painted there.

    Two classes are one question, "structure or background?": the forms that losses use then have
    C = 1 entry for the second class, of which the first is the mirror. Otherwise C = K.

    Attributes
    ----------
    logits
        ``(N, K, Y, X)`` or ``(N, K, Z, Y, X)``, any float type; K ≥ 2.
    target
        ``(N, Y, X)`` or ``(N, Z, Y, X)``, uint8 or int64, class index 0…K-1, and 0 where the weight
        is 0 (see `judge`).
    weights
        As the target, float32 ≥ 0; 0 = unlabelled.
    class_weights
        ``(K,)`` float32, or None: all 1.
    """

    logits: Tensor
    target: Tensor
    weights: Tensor
    class_weights: Tensor | None = None

    @property
    def classes(self) -> int:
        """K."""
        return self.logits.shape[1]

    @property
    def is_binary(self) -> bool:
        """True for two classes."""
        return self.classes == 2

    @cached_property
    def labelled(self) -> Tensor:
        """Where something is painted: as the target, bool."""
        return self.weights.bool()

    @cached_property
    def score(self) -> Tensor:
        """Of two classes: the logit of the second, as the target, float32."""
        score: Tensor = _Difference.apply(self.logits)  # type: ignore[no-untyped-call]
        return score

    @cached_property
    def log_p(self) -> Tensor:
        """Logarithm of every class's probability, ``(N, K, …)`` float32."""
        return functional.log_softmax(in_float32(self.logits), dim=1)

    @cached_property
    def log_p_true(self) -> Tensor:
        """Logarithm of the probability of the painted class, as the target, float32."""
        if self.is_binary:
            return -functional.binary_cross_entropy_with_logits(
                self.score, self.y[:, 0], reduction="none"
            )
        return self.of_true_class(self.log_p)

    def of_true_class(self, values: Tensor) -> Tensor:
        """From values of every class ``(N, K, …)`` those of the painted one ``(N, …)``."""
        target, flat = self.target.flatten(1).long(), values.flatten(2)
        return -functional.nll_loss(flat, target, reduction="none").view_as(self.target)

    @cached_property
    def p(self) -> Tensor:
        """Probabilities ``(N, C, …)`` float32."""
        if self.is_binary:
            return self.score.sigmoid()[:, None]
        return in_float32(self.logits).softmax(1)

    @cached_property
    def y(self) -> Tensor:
        """1 where a class is painted, ``(N, C, …)``; of two classes 0 where nothing is."""
        if self.is_binary:
            return self.target.to(self.weights.dtype)[:, None]
        return self._at_painted_class(self.labelled.to(self.weights.dtype))

    @cached_property
    def wy(self) -> Tensor:
        """The weight where a class is painted, ``(N, C, …)`` float32; 0 where it is not."""
        if self.is_binary:
            return (self.weights * self.target)[:, None]
        return self._at_painted_class(self.weights)

    def _at_painted_class(self, values: Tensor) -> Tensor:
        # A quarter of the time of comparing with every class.
        out = values.new_zeros(len(values), self.classes, *values.shape[1:])
        return out.scatter_(1, self.target[:, None].long(), values[:, None])

    @cached_property
    def voxel_weights(self) -> Tensor:
        """Each voxel's own weight times that of its class; as the target, float32."""
        if self.class_weights is None:
            return self.weights
        return self.weights * self.class_weights[self.target.long()]

    def mean(self, each: Tensor) -> Tensor:
        """Mean of a value a voxel, weighted by `voxel_weights`; 0 when nothing is painted.

        Parameters
        ----------
        each
            As the target.
        """
        v = self.voxel_weights
        return torch.dot(v.flatten(), each.flatten()) / v.sum().clamp(min=1e-8)


def judge(
    logits: Tensor, target: Tensor, weights: Tensor, class_weights: Tensor | None = None
) -> Judged:
    """An answer and what is painted, with nothing left of the target where nothing is.

    Parameters
    ----------
    logits, target, weights, class_weights
        As in `Judged`; the target may hold anything where the weight is 0.

    Examples
    --------
    >>> painted, weights = torch.tensor([[[1, 255]]]), torch.tensor([[[0.5, 0]]])
    >>> judge(torch.zeros(1, 2, 1, 2), painted, weights).target
    tensor([[[1, 0]]])
    """
    real = torch.float64 if logits.dtype == torch.float64 else torch.float32
    weights = weights.to(real)
    if class_weights is not None:
        class_weights = class_weights.to(real)
    # A product is a hundred times quicker than torch.where, which does not vectorise bytes.
    return Judged(logits, target * weights.bool(), weights, class_weights)
