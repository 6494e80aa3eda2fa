"""Which annotation belongs to which image, by name and never by order.

Three rounds, each on what the rounds before left over: the same name; the same words and numbers
once those for “image” and “mask” are dropped; and a name that is contained in the other, or shares
all its numbers, if nothing else fits as well. What fits twice is not guessed.
"""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field

from orgseg_app.files.annotations.tokens import Tokens, base, numbers_plain

MAX_COMPARED = 1_000_000
"""Pairs of names compared in the third round at most; it is left out for larger sets."""


@dataclass
class Pairing:
    """The outcome for one list of images and one of labels, by position.

    Attributes
    ----------
    pairs
        Image → label.
    ambiguous
        Image → labels that fit it equally well; none was chosen.
    unmatched
        Labels that fit no image.
    """

    pairs: dict[int, int] = field(default_factory=dict)
    ambiguous: dict[int, list[int]] = field(default_factory=dict)
    unmatched: list[int] = field(default_factory=list)


def pair(images: Sequence[str], labels: Sequence[str]) -> Pairing:
    """Pair file name stems of images with those of labels.

    >>> pair(["a_01", "a_02"], ["a_02_mask", "a_01_mask", "b_01_mask"])
    Pairing(pairs={0: 1, 1: 0}, ambiguous={}, unmatched=[2])
    """
    result = Pairing()
    free_images, free_labels = list(range(len(images))), list(range(len(labels)))
    for key in (_exact, base, _plain):
        _pair_equal(images, labels, key, result, free_images, free_labels)
    _pair_contained(images, labels, result, free_images, free_labels)
    claimed = {label for fits in result.ambiguous.values() for label in fits}
    result.unmatched = [label for label in free_labels if label not in claimed]
    return result


def same_name(image: str, label: str) -> bool:
    """True if two stems agree in the first rounds: equal, or equal but for words like “mask”."""
    return any(key(image) == key(label) for key in (_exact, base, _plain))


def _exact(stem: str) -> str:
    return unicodedata.normalize("NFC", stem).casefold()


def _plain(stem: str) -> Tokens:
    return numbers_plain(base(stem))


def _pair_equal(
    images: Sequence[str],
    labels: Sequence[str],
    key: Callable[[str], Hashable],
    result: Pairing,
    free_images: list[int],
    free_labels: list[int],
) -> None:
    """Pair what has the same key on both sides exactly once; note what fits several times."""
    by_image, by_label = defaultdict(list), defaultdict(list)
    for i in free_images:
        by_image[key(images[i])].append(i)
    for j in free_labels:
        by_label[key(labels[j])].append(j)
    for shared in by_image.keys() & by_label.keys():
        fitting_images, fitting_labels = by_image[shared], by_label[shared]
        if len(fitting_images) == 1 and len(fitting_labels) == 1:
            result.pairs[fitting_images[0]] = fitting_labels[0]
            free_labels.remove(fitting_labels[0])
        else:
            for i in fitting_images:
                result.ambiguous[i] = fitting_labels
        for i in fitting_images:
            free_images.remove(i)


def _pair_contained(
    images: Sequence[str],
    labels: Sequence[str],
    result: Pairing,
    free_images: list[int],
    free_labels: list[int],
) -> None:
    """Pair names that contain each other, the longest common run of words first."""
    taken = {label for fits in result.ambiguous.values() for label in fits}
    candidates = [j for j in free_labels if j not in taken]
    if len(free_images) * len(candidates) > MAX_COMPARED:
        return
    lengths = {
        (i, j): _common_run(base(images[i]), base(labels[j]))
        for i in free_images
        for j in candidates
    }
    for i in list(free_images):
        best = _best([j for j in candidates if lengths[i, j]], lambda j, i=i: lengths[i, j])  # type: ignore[misc]
        if len(best) > 1:
            result.ambiguous[i] = best
        if len(best) != 1:
            continue
        j = best[0]
        rivals = _best([k for k in free_images if lengths[k, j]], lambda k, j=j: lengths[k, j])  # type: ignore[misc]
        if rivals == [i]:
            result.pairs[i] = j
    for i, j in result.pairs.items():
        if i in free_images:
            free_images.remove(i)
        if j in free_labels:
            free_labels.remove(j)


def _best(candidates: list[int], length: Callable[[int], int]) -> list[int]:
    top = max(map(length, candidates), default=0)
    return [c for c in candidates if length(c) == top]


def _common_run(image: Tokens, label: Tokens) -> int:
    """Length of the longest shared run of words that identifies the image; 0 if none does.

    A run identifies an image if it is the whole of one of the names, or holds all numbers of the
    image's name (and there are some).
    """
    best = 0
    for i in range(len(image)):
        for j in range(len(label)):
            n = 0
            while i + n < len(image) and j + n < len(label) and image[i + n] == label[j + n]:
                n += 1
            run = image[i : i + n]
            rest = image[:i] + image[i + n :]
            numbered = any(t.isdecimal() for t in run) and not any(t.isdecimal() for t in rest)
            if n > best and (n in (len(image), len(label)) or numbered):
                best = n
    return best
