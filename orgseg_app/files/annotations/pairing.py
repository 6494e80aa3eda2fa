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
    free_images, free_labels = dict.fromkeys(range(len(images))), dict.fromkeys(range(len(labels)))
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
    free_images: dict[int, None],
    free_labels: dict[int, None],
) -> None:
    """Pair what has the same key on both sides exactly once; note what fits several times."""
    by_image, by_label = defaultdict(list), defaultdict(list)
    for i in free_images:
        by_image[key(images[i])].append(i)
    for j in free_labels:
        by_label[key(labels[j])].append(j)
    for shared, fitting_images in by_image.items():
        fitting_labels = by_label.get(shared, [])
        if not fitting_labels:
            continue
        if len(fitting_images) == 1 and len(fitting_labels) == 1:
            result.pairs[fitting_images[0]] = fitting_labels[0]
            del free_labels[fitting_labels[0]]
        else:
            for i in fitting_images:
                result.ambiguous[i] = fitting_labels
        for i in fitting_images:
            del free_images[i]


def _pair_contained(
    images: Sequence[str],
    labels: Sequence[str],
    result: Pairing,
    free_images: dict[int, None],
    free_labels: dict[int, None],
) -> None:
    """Pair names that contain each other, the longest common run of words first."""
    taken = {label for fits in result.ambiguous.values() for label in fits}
    candidates = [j for j in free_labels if j not in taken]
    if len(free_images) * len(candidates) > MAX_COMPARED:
        return
    fits = {
        (i, j): fit
        for i in free_images
        for j in candidates
        if (fit := _fit(base(images[i]), base(labels[j])))[0]
    }
    of_image, of_label = defaultdict(list), defaultdict(list)
    for i, j in fits:
        of_image[i].append(j)
        of_label[j].append(i)
    for i in list(free_images):
        best = _best({j: fits[i, j] for j in of_image[i]})
        if len(best) > 1:
            result.ambiguous[i] = best
        elif best and _best({k: fits[k, best[0]] for k in of_label[best[0]]}) == [i]:
            result.pairs[i] = best[0]
            del free_labels[best[0]]


def _best(fits: dict[int, tuple[int, bool]]) -> list[int]:
    top = max(fits.values(), default=None)
    return [candidate for candidate, fit in fits.items() if fit == top]


def _fit(image: Tokens, label: Tokens) -> tuple[int, bool]:
    """How well two names fit: words in their longest shared run that identifies the image, 0 if
    there is none; and whether the label's other words are free of numbers.

    A run identifies an image if it holds all numbers of the image's name (and there are some), or
    is the whole of one of the names and no number is left over on the other side alone.
    """
    best = (0, False)
    for i in range(len(image)):
        for j in range(len(label)):
            n = 0
            while i + n < len(image) and j + n < len(label) and image[i + n] == label[j + n]:
                n += 1
            run_numbered = _has_number(image[i : i + n])
            image_rest = _has_number(image[:i] + image[i + n :])
            label_rest = _has_number(label[:j] + label[j + n :])
            is_all_numbers = run_numbered and not image_rest
            is_whole = n in (len(image), len(label)) and (
                run_numbered or not (image_rest or label_rest)
            )
            if n and (is_all_numbers or is_whole):
                best = max(best, (n, not label_rest))
    return best


def _has_number(tokens: Tokens) -> bool:
    return any(token.isdecimal() for token in tokens)
