"""What a network costs: operations, parameters, memory; without torch, so that the window may ask.

A U-Net and its kin are added up level by level. For the others there is a row of coefficients:
every layer's work is a product of two numbers of features, each of them in proportion to the
width, or the image's channels, or the classes. A test compares all of it with torch.
"""

from __future__ import annotations

from orgseg_app.runs.recipes.cost_ledger import LEDGERS, USUAL_PATCH, Ledger, PatchSize
from orgseg_app.runs.recipes.cost_table import ROWS
from orgseg_app.runs.recipes.networks import NETWORK_NAMES
from orgseg_app.runs.recipes.schema import NetworkChoice, Recipe


def patch_of(recipe: Recipe) -> PatchSize:
    """Size of a recipe's patches; one plane for networks of two dimensions."""
    info = NETWORK_NAMES.get(recipe.network.name)
    is_volume = info is not None and info.dimensions == 3
    return (recipe.patch_depth if is_volume else 1), recipe.patch_size


def patch_voxels(recipe: Recipe) -> int:
    """Voxels of a patch."""
    planes, side = patch_of(recipe)
    return planes * side**2


def flops_per_pixel(
    choice: NetworkChoice,
    channels: int = 1,
    classes: int = 2,
    *,
    patch: PatchSize = USUAL_PATCH,
) -> float:
    """Operations for one pixel or voxel, forward through the network and all judged heads.

    A multiplication and its addition are two. The way back costs about twice as much again.

    Parameters
    ----------
    choice
        Name, depth, width, planes, fusion.
    channels, classes
        Of the images; background included.
    patch
        How large a piece the network is given.

    Raises
    ------
    KeyError
        For a network whose cost is not known beforehand.
    """
    ledger = _ledger(choice, channels, classes, patch)
    if ledger is not None:
        return 2 * ledger.products
    row = ROWS[choice.name, choice.fusion]
    return row.flops(choice.width, channels * choice.planes, classes)


def parameters(choice: NetworkChoice, channels: int = 1, classes: int = 2) -> int:
    """Numbers that the network learns.

    Parameters and errors as in `flops_per_pixel`.
    """
    ledger = _ledger(choice, channels, classes, USUAL_PATCH)
    if ledger is not None:
        return round(ledger.parameters)
    row = ROWS[choice.name, choice.fusion]
    return round(row.parameters(choice.width, channels * choice.planes, classes))


def features_per_pixel(choice: NetworkChoice, *, patch: PatchSize = USUAL_PATCH) -> float:
    """Numbers of 32 bits kept for each pixel or voxel until the way back (float32).

    Parameters and errors as in `flops_per_pixel`.
    """
    ledger = _ledger(choice, 1, 2, patch)
    if ledger is not None:
        return ledger.features
    return ROWS[choice.name, choice.fusion].features(choice.width)


def _ledger(choice: NetworkChoice, channels: int, classes: int, patch: PatchSize) -> Ledger | None:
    if choice.name not in LEDGERS:
        return None
    ledger = Ledger(patch)
    seen = channels * (choice.planes if NETWORK_NAMES[choice.name].takes_planes else 1)
    LEDGERS[choice.name](ledger, choice, seen, classes)
    return ledger
