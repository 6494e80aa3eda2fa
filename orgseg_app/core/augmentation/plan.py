"""What happens to one patch, drawn beforehand: done to image, mask, objects and weights alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from orgseg_app.core.augmentation.geometry import GEOMETRIC, Cuttable, Geometry
from orgseg_app.core.augmentation.intensity import INTENSITIES, shade


@dataclass(frozen=True)
class Act:
    """One step, with the numbers that were drawn.

    Attributes
    ----------
    name
        A key of `steps.AUGMENTATIONS`.
    values
        What was drawn; seeds where there would be too many numbers.
    """

    name: str
    values: Mapping[str, float]


@dataclass(frozen=True)
class Plan:
    """What happens to one patch. The same plan does the same whenever it is carried out.

    Attributes
    ----------
    size
        ``(height, width)`` of the patch in pixels.
    acts
        In the order of the recipe; see `dice.Dice` for the order in which they are done.
    """

    size: tuple[int, int]
    acts: tuple[Act, ...]

    @cached_property
    def geometry(self) -> Geometry:
        """Where the pixels of the patch come from."""
        return Geometry.of(self.size, ((act.name, act.values) for act in self.acts))

    @cached_property
    def is_reversed(self) -> bool:
        """Whether the planes of a volume are shown in reverse order."""
        return sum(act.values["flip"] for act in self.acts if act.name == "flip_z") % 2 == 1

    def apply(
        self,
        pixels: Cuttable,
        layers: Sequence[Cuttable] = (),
        *,
        outside: Sequence[float] | None = None,
    ) -> tuple[NDArray[np.float32], list[NDArray[Any]]]:
        """Carry the plan out around the middle of a picture.

        Parameters
        ----------
        pixels
            ``(C, Y, X)`` or ``(C, Z, Y, X)`` float32; interpolated linearly within each plane, all
            planes alike, and past its edge its mirror image.
        layers
            ``(Y, X)`` or ``(Z, Y, X)`` each, uint8, uint16, uint32, int32, bool or float32: mask,
            objects, weights. Each voxel is that of the nearest pixel; values are never mixed.
            Planes are reversed in what has more than one.
        outside
            What each layer holds past the edge of the picture; 0 (unlabelled, no object, not
            learnt from) for all by default.

        Returns
        -------
        pixels, layers
            Of the plan's size, in arrays of their own.

        Raises
        ------
        TypeError
            For a layer of another type.
        ValueError
            For more than 32,766 pixels along a side, if more than flips and quarter turns are due.
        """
        middle = [(n - 1) / 2 for n in pixels.shape[-2:]]
        down, right = self.geometry.shift
        patch_yx = (self.size[0] - 1) / 2 + down, (self.size[1] - 1) / 2 + right
        return self.cut(
            pixels, layers, outside=outside, patch_yx=patch_yx, source_yx=(middle[0], middle[1])
        )

    def cut(
        self,
        pixels: Cuttable,
        layers: Sequence[Cuttable] = (),
        *,
        patch_yx: tuple[float, float],
        source_yx: tuple[float, float],
        outside: Sequence[float] | None = None,
    ) -> tuple[NDArray[np.float32], list[NDArray[Any]]]:
        """Cut a changed patch out of a plane, which gives what a turned patch has in its corners.

        Parameters
        ----------
        patch_yx, source_yx
            A place in the patch and the place in the plane that it shows; see
            `Geometry.anchored`. All else as `apply`, shifts aside, which the place includes.
        """
        outside = [0] * len(layers) if outside is None else outside
        shown, found = self.geometry.cut(pixels, layers, outside, patch_yx, source_yx)
        if self.is_reversed:
            shown = _reversed(shown, is_stack=shown.ndim > 3)
            found = [_reversed(layer, is_stack=layer.ndim > 2) for layer in found]
        shade(shown, ((act.name, act.values) for act in self.acts))
        return shown, found

    def shown(
        self, ways: NDArray[np.float32], patch_yx: tuple[float, float]
    ) -> NDArray[np.float32]:
        """Ways between voxels of the picture, as they lead through the patch.

        Parameters
        ----------
        ways
            ``(2, height, width)``, or ``(3, planes, height, width)`` of volumes: along y and x,
            and z before them; of each voxel of the patch, cut as a layer is.
        patch_yx
            As of `cut`.
        """
        found = ways.copy()
        found[-2:] = self.geometry.shown(ways[-2:], patch_yx)
        if self.is_reversed and len(ways) > 2:
            found[0] = -found[0]
        return found

    def to_builtins(self) -> dict[str, Any]:
        """The plan as lists and dicts, ready for JSON."""
        return {
            "size": list(self.size),
            "acts": [{"name": act.name, **act.values} for act in self.acts],
        }

    @classmethod
    def from_builtins(cls, data: Mapping[str, Any]) -> Plan:
        """A plan as `to_builtins` wrote it.

        Raises
        ------
        ValueError
            For a step that this version does not know, or what is no plan.
        """
        try:
            height, width = (int(n) for n in data["size"])
            acts = []
            for entry in data["acts"]:
                values = dict(entry)
                name = values.pop("name")
                if name not in GEOMETRIC | INTENSITIES:
                    raise ValueError(f"There is no augmentation called {name!r}.")
                acts.append(Act(name, values))
        except (KeyError, TypeError) as error:
            raise ValueError("This is no plan of an augmentation.") from error
        return cls((height, width), tuple(acts))


def _reversed(array: NDArray[Any], *, is_stack: bool) -> NDArray[Any]:
    """The planes ``(…, Z, Y, X)`` in reverse order; a plane alone as it is."""
    return np.ascontiguousarray(array[..., ::-1, :, :]) if is_stack else array
