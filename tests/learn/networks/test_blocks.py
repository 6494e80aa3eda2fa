"""Parts of networks."""

from __future__ import annotations

import torch
from torch import nn

from orgseg_app.learn.networks.blocks import StridedPointwise, conv_block


def test_a_strided_pointwise_convolution_is_that_of_torch() -> None:
    ours, theirs = StridedPointwise(3, 5, 1, stride=2), nn.Conv2d(3, 5, 1, stride=2)
    theirs.load_state_dict(ours.state_dict())
    for size in ((1, 1), (7, 4), (8, 9)):
        image = torch.randn(2, 3, *size, dtype=torch.float64, requires_grad=True)
        ours.double(), theirs.double()
        answers = [each(image) for each in (ours, theirs)]
        assert torch.allclose(*answers)
        slopes = [torch.autograd.grad(a.square().sum(), image)[0] for a in answers]
        assert torch.allclose(*slopes)


def test_where_the_library_may_write_beyond_its_memory_it_is_not_asked() -> None:
    kinds = {
        (kernel, stride): type(conv_block(4, 8, kernel, stride=stride)[0])
        for kernel in (1, 3)
        for stride in (1, 2)
    }
    assert kinds == {
        (1, 1): nn.Conv2d,
        (1, 2): StridedPointwise,
        (3, 1): nn.Conv2d,
        (3, 2): nn.Conv2d,
    }
