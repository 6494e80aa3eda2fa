"""Losses that judge how far from a contour a mistake lies.

A contour runs half-way between voxels of a class and voxels of another. It is known only where both
sides are painted: the distance of a voxel is that to the nearest *painted* voxel of the other side,
less ½; voxels nobody painted are on no side. In a patch where one side is not painted at all there
is no contour and nothing to learn. Distances are in voxels, found on the processor with numpy,
outside autograd.

Of both losses: an unlabelled voxel (weight 0) is left out; a voxel of weight 2 counts as two, the
weight of its painted class multiplies its own, and the result is the mean by these weights, so that
twice all weights is the same loss.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from orgseg_app.learn.losses.judged import Judged


def boundary(judged: Judged, params: Mapping[str, float]) -> Tensor:
    """``φ·(p - y)``: φ is the distance to the painted contour, negative inside (Kervadec 2019).

    Kervadec et al. 2019, MIDL, write ``φ·p``; the part without p has no gradient, and with it a
    perfect answer costs 0. More than two classes: each against the rest, mean. To be added to
    another loss: alone it may forget small structures altogether.
    """
    distance = _tensor_like(judged, signed_distances(*_painted(judged)))
    return judged.mean((distance * (judged.p - judged.y)).mean(1))


def hausdorff(judged: Judged, params: Mapping[str, float]) -> Tensor:
    """``(p - y)²·(d_y^α + d_p^α)``, an estimate of the Hausdorff distance (Karimi, Salcudean 2020).

    d_y is the distance to the painted contour, d_p that to the answer's own, of which only voxels
    that are painted with anything are taken; neither is learnt through. More than two classes:
    each against the rest, mean. To be added to an overlap loss, as its authors do.
    """
    target, labelled, classes = _painted(judged)
    if judged.is_binary:
        answer = (judged.score.detach() > 0).cpu().numpy()
    else:
        answer = judged.logits.detach().argmax(1).cpu().numpy()
    alpha = params["alpha"]
    field = np.abs(signed_distances(target, labelled, classes)) ** alpha
    field += np.abs(signed_distances(answer.astype(np.int64), labelled, classes)) ** alpha
    return judged.mean((_tensor_like(judged, field) * (judged.p - judged.y).square()).mean(1))


def _painted(judged: Judged) -> tuple[NDArray[np.int64], NDArray[np.bool_], range]:
    target = judged.target.cpu().numpy().astype(np.int64)
    labelled = judged.labelled.cpu().numpy()
    return target, labelled, range(1 if judged.is_binary else 0, judged.classes)


def _tensor_like(judged: Judged, field: NDArray[np.floating[Any]]) -> Tensor:
    return torch.from_numpy(field).to(judged.p)


def signed_distances(
    target: NDArray[np.int64], labelled: NDArray[np.bool_], classes: range
) -> NDArray[np.float32]:
    """Distance of every painted voxel to the contour of every class, negative inside, in voxels.

    Parameters
    ----------
    target
        ``(N, Y, X)`` or ``(N, Z, Y, X)``, class index; anything where nothing is painted.
    labelled
        The same shape: where something is painted.
    classes
        C class indices.

    Returns
    -------
    float32 (N, C, …)
        0 where nothing is painted, and for a class without a contour in the patch.

    Examples
    --------
    Background, two voxels nobody painted, two voxels of structure: 3 from the nearest, less ½.

    >>> row = np.array([[[0, 9, 9, 1, 1]]])
    >>> signed_distances(row, row < 9, range(1, 2))
    array([[[[ 2.5,  0. ,  0. , -2.5, -3.5]]]], dtype=float32)
    """
    out = np.zeros((len(target), len(classes), *target.shape[1:]), np.float32)
    for n in range(len(target)):
        for place, k in enumerate(classes):
            inside = labelled[n] & (target[n] == k)
            outside = labelled[n] & (target[n] != k)
            if inside.any() and outside.any():
                field = out[n, place]
                np.copyto(field, _distance_to(inside) - np.float32(0.5), where=outside)
                np.copyto(field, np.float32(0.5) - _distance_to(outside), where=inside)
    return out


def _distance_to(those: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Distance of every voxel to the nearest of those, exact, float32."""
    if those.ndim == 2:
        import cv2

        far = cv2.distanceTransform((~those).view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
        return np.asarray(far, np.float32)
    from scipy.ndimage import distance_transform_edt

    return distance_transform_edt(~those).astype(np.float32)
