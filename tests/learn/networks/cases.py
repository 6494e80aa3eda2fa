"""What the tests of all networks run over."""

from __future__ import annotations

from orgseg_app.learn.networks.network import Network
from orgseg_app.learn.networks.registry import NETWORKS, build_network
from orgseg_app.runs.recipes.networks import NETWORK_NAMES
from orgseg_app.runs.recipes.schema import NetworkChoice

CASES = [
    (name, fusion)
    for name in NETWORKS
    if not NETWORK_NAMES[name].is_fitted and not NETWORK_NAMES[name].library
    for fusion in NETWORK_NAMES[name].fusions
]
"""Every network with every kind of fusion."""


def tiny(
    case: tuple[str, str], *, channels: int = 1, classes: int = 2, width: int = 4, depth: int = 2
) -> Network:
    """A network of one case, as small as it gets."""
    name, fusion = case
    choice = NetworkChoice(name=name, fusion=fusion, width=width, depth=depth)  # type: ignore[arg-type]
    return build_network(choice, channels=channels, classes=classes)
