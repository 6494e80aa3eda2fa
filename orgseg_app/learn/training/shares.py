"""How much of the images each class takes up, where only a part of them is painted.

Strokes hold other shares of the classes than images do: people paint as much structure as
background, where the structure is an eighth of the image. A network that learns from them answers
as if half of every image were structure, and all that is doubtful goes to it. So painted voxels
count as much as their class seems to take up: shares in the patches are estimated from what is
painted and from what the network says of the rest, and each class is weighted by its share there
over its share of the paint. Where everything is painted both are the same and nothing changes.

The estimate is the fixed point of Saerens, Latinne and Decaestecker (Adjusting the outputs of a
classifier to new a priori probabilities, Neural Computation 14, 2002), followed step by step while
the network learns instead of once at the end. It asks for answers that are right in the mean, and
losses that favour rare classes teach others. So what a network says too often of the painted it is
taken to say too often of the rest (the biases of Alexandari, Kundaje and Shrikumar, Maximum
likelihood with bias-corrected calibration is hard-to-beat at label shift adaptation, ICML 2020).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from orgseg_app.learn.losses.heads import reduced
from orgseg_app.learn.networks.network import Head
from orgseg_app.runs.recipes.schema import Recipe

WAIT = 10
"""Steps before the first estimate: what a fresh network says is noise."""
RATE = 0.05
"""Share of the newest step in the estimate."""
LEAST, MOST = 0.1, 10.0
"""No class is weighted less, or more: a wrong estimate cannot silence a class."""
_KEY = "shares"
_KEPT = ("painted", "present", "taught", "answered", "too_rare")


def shares_of(recipe: Recipe, classes: int) -> ClassShares | None:
    """What estimates the shares of K classes, where a recipe wants that."""
    return ClassShares(classes) if recipe.class_weights == "share" else None


class ClassShares:
    """Shares of the classes in the patches, and in what of them is painted.

    Parameters
    ----------
    classes
        K.

    Attributes
    ----------
    painted, present
        ``(K,)`` float32: voxels of each class painted in a batch, and painted or answered; running
        sums of the latest steps, alike, so that they are equal where everything is painted. They
        lie where the network does: nothing waits for a graphics card.
    taught, answered
        As these, of the painted voxels alone and as much as they count: what was painted, and what
        the network said of it, put right by `too_rare`.
    too_rare
        ``(K,)`` float32: how many times too rarely each class is said of what is painted; answers
        times this, and again of sum 1, are right in the mean.
    """

    def __init__(self, classes: int) -> None:
        self.painted, self.present, self.taught, self.answered = torch.zeros(4, classes)
        self.too_rare = torch.ones(classes)
        self._seen = torch.zeros(4, classes)
        self._steps = 0

    @property
    def weights(self) -> Tensor | None:
        """What a painted voxel of each class counts, ``(K,)`` float32; None = all alike."""
        if self._steps <= WAIT:
            return None
        there, known = (part / part.sum() for part in (self.present, self.painted))
        return (there / known).nan_to_num(1.0).clamp(LEAST, MOST)

    def weighted(self, target: Tensor, weights: Tensor) -> Tensor:
        """Voxel weights times what their classes count.

        Parameters
        ----------
        target, weights
            As `improver` hands them to the loss: ``(N, …)`` integer class indices, anything where
            the weight is 0; float32.
        """
        factors = self.weights
        if factors is None:
            return weights
        # The device may be another since: after a resume, or where memory ran out.
        return weights * factors.to(weights.device)[(target * weights.bool()).long()]

    def look(self, heads: Sequence[Head], target: Tensor, weights: Tensor) -> None:
        """Count what is painted in a part of a batch, and what the network says of the rest.

        Parameters
        ----------
        heads
            The network's answers; the finest is asked, its first K outputs are the classes.
        target, weights
            At full size, as in `weighted`, not yet weighted by class.
        """
        classes = len(self.painted)
        finest = max(heads, key=lambda head: (head.logits[0, 0].numel(), head.weight)).logits
        size = finest.shape[2:]
        labelled = reduced(weights, size).flatten(1).bool()
        target = (reduced(target, size).flatten(1) * labelled).long()
        bias = self.too_rare.log().to(finest.device).view(-1, *(1,) * len(size))
        said = (finest.detach()[:, :classes].float() + bias).softmax(1).flatten(2)
        factors = self.weights
        factors = said.new_ones(classes) if factors is None else factors.to(said.device)
        answered = torch.einsum("nkv,nv->k", said, factors[target] * labelled)
        rest = torch.einsum("nkv,nv->k", said, (~labelled).float())
        counts = torch.bincount(target[labelled], minlength=classes).float()
        seen = torch.stack([counts, counts + rest, counts * factors, answered])
        self._seen = self._seen.to(counts.device) + seen

    def forget(self) -> None:
        """Drop what `look` has gathered: the step begins anew."""
        self._seen = torch.zeros_like(self._seen)

    @property
    def gathered(self) -> Tensor:
        """What `look` has gathered since the last update, ``(4, K)`` float32."""
        return self._seen

    def update(self, gathered: Tensor) -> None:
        """Take in one step.

        Parameters
        ----------
        gathered
            As `gathered`; of several ranks their sum.
        """
        self.forget()
        self._steps += 1
        if self._steps > WAIT:
            sums = (self.painted, self.present, self.taught, self.answered)
            before = torch.stack(sums).to(gathered.device)
            after = (1 - RATE) * before + RATE * gathered
            # A network that has come apart says nothing; the step is passed over, too.
            after = torch.where(gathered.isfinite().all(), after, before)
            self.painted, self.present, self.taught, self.answered = after
            # Means move by less than what moves them: this does not swing.
            step = (self.taught / self.answered).nan_to_num(1.0) ** RATE
            self.too_rare = (self.too_rare.to(step.device) * step).clamp(LEAST, MOST)

    def facts(self) -> dict[str, Any]:
        """What it takes to go on, for a checkpoint."""
        kept = {name: getattr(self, name).tolist() for name in _KEPT}
        return {_KEY: kept | {"steps": self._steps}}

    def load(self, facts: Mapping[str, Any]) -> None:
        """Put back what `facts` gave; without it nothing is known yet.

        Raises
        ------
        ValueError
            When it does not fit.
        """
        kept = facts.get(_KEY)
        if kept is None:
            return
        now = self.facts()[_KEY]
        try:
            # Checkpoints of before the painted was asked for hold the first two alone.
            known = {name: now[name] for name in _KEPT[2:]} | kept
            found = {name: torch.tensor(known[name], dtype=torch.float32) for name in _KEPT}
            steps = int(known["steps"])
        except (KeyError, TypeError) as error:
            raise ValueError("what is known of the classes' shares is damaged") from error
        if any(values.shape != self.painted.shape for values in found.values()):
            raise ValueError("the shares kept are those of other classes")
        self._steps = steps
        for name, values in found.items():
            setattr(self, name, values)
