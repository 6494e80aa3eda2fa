"""What a network loses without the coarse half of a level: the low-level importance test.

Guo et al. 2021 (PRCV): in a copy of a trained network, the weights that the first convolution of a
level of the decoder gives to the up-sampled features are set to 0, so that the level has nothing
but the encoder's features of its own scale; then the copy is scored as the network was. Where the
score hardly falls, the fine features of that level alone carried the answer.
"""

from __future__ import annotations

import copy

import torch
from torch import nn

from orgseg_app.learn.networks.network import Network


def ablated(network: Network, level: int) -> Network:
    """A copy of a network that sees nothing of what is coarser than a level.

    Parameters
    ----------
    network
        Trained; it stays as it is.
    level
        Of `Network.joins`: 0 is the finest one.

    Returns
    -------
    Network
        In the same mode (training or evaluation) and on the same device.

    Raises
    ------
    ValueError
        With a sentence, when the network has no such level.
    """
    levels = len(network.joins())
    if not 0 <= level < levels:
        raise ValueError(
            f"This network joins fine and coarse features at {levels} levels"
            + (f", 0 to {levels - 1}; there is no level {level}." if levels else ": there is none.")
        )
    changed = copy.deepcopy(network)
    conv, upsampled = changed.joins()[level]
    with torch.no_grad():
        if isinstance(conv, nn.ConvTranspose2d):  # its weights begin with the features that go in
            conv.weight[upsampled] = 0
        else:
            conv.weight[:, upsampled] = 0
    return changed
