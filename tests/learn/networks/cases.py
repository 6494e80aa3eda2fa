"""What the tests of all networks run over."""

from __future__ import annotations

from orgseg_app.learn.networks.network import Network
from orgseg_app.learn.networks.registry import NETWORKS, build_network
from orgseg_app.runs.recipes.networks import NETWORK_NAMES
from orgseg_app.runs.recipes.schema import NetworkChoice

Case = tuple[str, str]
"""Name and fusion."""


def _cases(dimensions: int) -> list[Case]:
    return [
        (name, fusion)
        for name in NETWORKS
        for fusion in NETWORK_NAMES[name].fusions
        if NETWORK_NAMES[name].dimensions == dimensions
        if not NETWORK_NAMES[name].is_fitted and not NETWORK_NAMES[name].library
    ]


CASES = _cases(2)
"""Every network of planes with every kind of fusion."""
VOLUME_CASES = _cases(3)
"""Every network of volumes."""


def tiny(
    case: Case,
    *,
    channels: int = 1,
    classes: int = 2,
    width: int = 4,
    depth: int = 2,
    planes: int = 1,
) -> Network:
    """A network of one case, as small as it gets."""
    name, fusion = case
    choice = NetworkChoice(name=name, fusion=fusion, width=width, depth=depth, planes=planes)  # type: ignore[arg-type]
    return build_network(choice, channels=channels, classes=classes)
