"""Networks of one kind, of planes or of volumes, whose tiles lie at the same places."""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import Tensor

from orgseg_app.learn.checkpoint import Model
from orgseg_app.learn.networks.unet import pad_to_multiple
from orgseg_app.learn.prediction.placing import comfortable_tile, comfortable_voxels
from orgseg_app.learn.prediction.tiles import (
    BLEND_Z,
    Tile,
    plan_axis,
    plan_windows,
    tile_box,
    tile_size,
)

_MOST_STRETCH = 2
"""How many times longer than comfortable a tile may be so that the result is exact."""

_FEWEST_VOXELS = 2**12


class Group:
    """Which models go together, what they see, and how large their tiles are.

    Parameters
    ----------
    models
        All models of a predictor.
    members
        Positions of those that belong here; all of two or all of three dimensions.
    stitch
        ``"blend"`` or ``"deepest"``.
    tile
        Longest side of a tile in pixels; chosen when not given.

    Attributes
    ----------
    members
        Positions among all models.
    dimensions
        2 or 3.
    multiple, multiple_z, radius, radius_z
        As a network's: of all members together. The radii become None when memory is too short for
        what the networks see.
    tile, tile_z
        Longest side and depth of a tile.
    """

    def __init__(
        self, models: Sequence[Model], members: Sequence[int], *, stitch: str, tile: int | None
    ) -> None:
        networks = [models[i].network for i in members]
        self.members = tuple(members)
        self.dimensions = networks[0].dimensions
        self.multiple = math.lcm(*(n.multiple for n in networks))
        self.multiple_z = math.lcm(*(n.multiple_z for n in networks))
        self.radius = _widest([n.radius for n in networks])
        self.radius_z = _widest([n.radius_z for n in networks])
        self._is_deepest = stitch == "deepest"
        recipes = [models[i].recipe for i in members]
        self._window = max(recipe.patch_size for recipe in recipes)
        self._window_z = max(recipe.patch_depth for recipe in recipes)
        comfortable = min(comfortable_tile(recipe.network) for recipe in recipes)
        self.voxels = min(comfortable_voxels(recipe.network) for recipe in recipes)
        self._fixed = tile
        self.tile_z = 1
        self._set_tile(tile or comfortable)
        if tile is None and self.tile > _MOST_STRETCH * comfortable and self.dimensions == 2:
            # Sight is far wider than memory: what lies farthest away hardly matters.
            self.radius = None
            self._set_tile(comfortable)

    def _set_tile(self, wanted: int) -> None:
        self.tile = tile_size(radius=self.radius, multiple=self.multiple, wanted=wanted)

    def use_less(self) -> str:
        """Halve the tiles, then let them see less; a sentence, empty when nothing is left."""
        if self._is_deepest:
            return self._narrower_windows()
        if self.dimensions == 3:
            return self._fewer_voxels()
        before = self.tile
        self._set_tile(before // 2)
        if self.tile < before:
            return f"Memory was short: predicting in pieces of {self.tile} pixels."
        if self.radius is not None:
            self.radius = None
            self._set_tile(before // 2)
            return (
                f"Memory was short: predicting in pieces of {self.tile} pixels, smaller than what "
                "the network sees; near their edges the answer may differ a little."
            )
        return ""

    def _fewer_voxels(self) -> str:
        if self.voxels <= _FEWEST_VOXELS:
            return ""
        if self._fixed is not None:
            self.voxels, self._fixed = min(self.voxels, self.tile_z * self.tile**2), None
        self.voxels //= 2
        return f"Memory was short: predicting in pieces of about {self.voxels} voxels."

    def _narrower_windows(self) -> str:
        if self._window < 2 * self.multiple or self._window < 16:
            return ""
        self._window //= 2
        return f"Memory was short: predicting in windows of {self._window} pixels."

    def settings(self) -> dict[str, int | None]:
        """What decides where tiles lie: `restore` takes it again."""
        names = ("radius", "radius_z", "tile", "voxels", "_fixed", "_window", "_window_z")
        return {name.strip("_"): getattr(self, name) for name in names}

    def restore(self, settings: dict[str, int | None]) -> None:
        """Lay tiles as another group of the same models did."""
        for name in ("radius", "radius_z", "tile", "voxels", "_fixed", "_window", "_window_z"):
            setattr(self, name, settings[name.strip("_")])

    def plan(self, size_yx: tuple[int, int]) -> tuple[list[Tile], list[Tile]]:
        """Rows and columns of tiles for a plane."""
        if self._is_deepest:
            rows, columns = (plan_windows(size, window=self._window) for size in size_yx)
        else:
            rows, columns = (
                plan_axis(
                    -(-size // self.multiple) * self.multiple,
                    tile=self.tile,
                    multiple=self.multiple,
                    radius=self.radius,
                )
                for size in size_yx
            )
        return rows, columns

    def plan_volume(
        self, size_zyx: tuple[int, int, int]
    ) -> tuple[list[Tile], list[Tile], list[Tile]]:
        """Layers, rows and columns of tiles for a volume."""
        if self._is_deepest:
            rows, columns = self.plan(size_zyx[1:])
            return plan_windows(size_zyx[0], window=self._window_z), rows, columns
        radius, radius_z = self.radius, self.radius_z
        for radius, radius_z in (
            (self.radius, self.radius_z),
            (self.radius, None),
            (None, self.radius_z),
            (None, None),
        ):
            self.tile_z, self.tile = tile_box(
                size_zyx,
                radius=radius,
                radius_z=radius_z,
                multiple=self.multiple,
                multiple_z=self.multiple_z,
                voxels=self.voxels,
            )
            sizes = zip((self.tile_z, self.tile, self.tile), size_zyx, strict=True)
            if math.prod(min(pair) for pair in sizes) <= _MOST_STRETCH**2 * self.voxels:
                break
        if self._fixed is not None:
            radius, radius_z = self.radius, self.radius_z
            self.tile = tile_size(radius=radius, multiple=self.multiple, wanted=self._fixed)
            self.tile_z = tile_size(
                radius=radius_z, multiple=self.multiple_z, wanted=self._fixed, blend=BLEND_Z
            )
        layers = plan_axis(
            -(-size_zyx[0] // self.multiple_z) * self.multiple_z,
            tile=self.tile_z,
            multiple=self.multiple_z,
            radius=radius_z,
            blend=BLEND_Z,
        )
        rows, columns = (
            plan_axis(
                -(-size // self.multiple) * self.multiple,
                tile=self.tile,
                multiple=self.multiple,
                radius=radius,
            )
            for size in size_zyx[1:]
        )
        return layers, rows, columns

    def padded(self, plane: Tensor, multiple: int) -> Tensor:
        """A plane ``(1, C, Y, X)`` as a network pads it; windows of "deepest" pad themselves."""
        return plane if self._is_deepest else pad_to_multiple(plane, multiple)


def _widest(radii: Sequence[int | None]) -> int | None:
    known = [radius for radius in radii if radius is not None]
    return max(known) if len(known) == len(radii) else None
