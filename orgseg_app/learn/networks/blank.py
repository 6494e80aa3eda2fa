"""Networks without numbers: their shape alone, or a place for weights that are read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from orgseg_app.learn.networks.network import Network
from orgseg_app.learn.networks.registry import build_network

if TYPE_CHECKING:
    from orgseg_app.runs.recipes.schema import NetworkChoice

_DRAWN = {"normal_", "uniform_", "trunc_normal_"}


class _Undrawn(TorchFunctionMode):
    """Leaves out the drawing of first weights.

    Nothing can be drawn where nothing is stored, but torch would import its compiler to find that
    out, which takes a second.
    """

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        is_first = getattr(func, "__module__", None) == "torch.nn.init"
        if is_first or getattr(func, "__name__", "") in _DRAWN:
            tensor = kwargs.get("tensor", args[0] if args else None)
            if isinstance(tensor, Tensor):
                return tensor
        return func(*args, **kwargs)


def blank_network(choice: NetworkChoice, *, channels: int, classes: int) -> Network:
    """A network whose tensors have shapes only (device ``meta``).

    Parameters and errors as in `registry.build_network`.
    """
    choice = msgspec.structs.replace(choice, pretrained=False)
    with torch.device("meta"), _Undrawn():
        return build_network(choice, channels=channels, classes=classes)
