"""How much of the images each class takes up, where only a part of them is painted.

Strokes hold other shares of the classes than images do: people paint as much structure as
background, where the structure is an eighth of the image. A network that learns from them answers
as if half of every image were structure, and all that is doubtful goes to it. So painted voxels
count as much as their class seems to take up: shares in the patches are estimated from what is
painted and from what the network says of the rest, and each class is weighted by its share there
over its share of the paint. Where everything is painted both are the same and nothing changes.

The estimate is the fixed point of Saerens, Latinne and Decaestecker (Adjusting the outputs of a
classifier to new a priori probabilities, Neural Computation 14, 2002), followed step by step while
the network learns instead of once at the end.
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
    """

    def __init__(self, classes: int) -> None:
        self.painted, self.present = torch.zeros(2, classes)
        self._seen = torch.zeros(2, classes)
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
        return weights * factors[(target * weights.bool()).long()]

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
        labelled = reduced(weights, size).bool()
        painted = reduced(target, size)[labelled].long()
        said = finest.detach()[:, :classes].float().softmax(1).movedim(1, -1)[~labelled]
        counts = torch.bincount(painted, minlength=classes).float()
        self._seen = self._seen.to(counts.device) + torch.stack([counts, counts + said.sum(0)])

    def forget(self) -> None:
        """Drop what `look` has gathered: the step begins anew."""
        self._seen = torch.zeros_like(self._seen)

    @property
    def gathered(self) -> Tensor:
        """What `look` has gathered since the last update, ``(2, K)`` float32."""
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
            before = torch.stack([self.painted, self.present]).to(gathered.device)
            after = (1 - RATE) * before + RATE * gathered
            # A network that has come apart says nothing; the step is passed over, too.
            self.painted, self.present = torch.where(gathered.isfinite().all(), after, before)

    def facts(self) -> dict[str, Any]:
        """What it takes to go on, for a checkpoint."""
        painted, present = self.painted.tolist(), self.present.tolist()
        return {_KEY: {"painted": painted, "present": present, "steps": self._steps}}

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
        try:
            painted, present = (
                torch.tensor(kept[name], dtype=torch.float32) for name in ("painted", "present")
            )
            steps = int(kept["steps"])
        except (KeyError, TypeError) as error:
            raise ValueError("what is known of the classes' shares is damaged") from error
        if not painted.shape == present.shape == self.painted.shape:
            raise ValueError("the shares kept are those of other classes")
        self.painted, self.present, self._steps = painted, present, steps
