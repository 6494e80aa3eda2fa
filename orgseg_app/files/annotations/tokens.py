"""Words in names of files and folders that say image, annotation, train or test."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

Tokens = tuple[str, ...]

LABEL_WORDS = frozenset(
    {
        "label",
        "labels",
        "lbl",
        "lbls",
        "labeled",
        "labelled",
        "mask",
        "masks",
        "seg",
        "segs",
        "segmentation",
        "segmentations",
        "segmented",
        "annotation",
        "annotations",
        "annotated",
        "annot",
        "annots",
        "gt",
        "groundtruth",
        "truth",
        "target",
        "targets",
        "binary",
        "semantic",
    }
)
"""Words that mark an annotation."""

OBJECT_WORDS = frozenset({"mask", "masks", "object", "objects", "instance", "instances"})
"""Words of a folder that may hold one mask for each object."""

OUTLINE_WORDS = frozenset({"outline", "outlines", "contour", "contours"})
"""Words that mark drawn borders, which are not masks yet."""

IMAGE_WORDS = frozenset(
    {"image", "images", "img", "imgs", "im", "raw", "input", "inputs", "original", "originals"}
)
"""Words that mark an image."""

SIDE_WORDS = frozenset({"flow", "flows", "overlay", "overlays", "preview", "thumbnail"})
"""Words of pictures that other programs write beside an image, which are neither."""

WEIGHT_WORDS = frozenset({"weight", "weights", "weighting", "weightmap"})
"""Words that mark a volume of weights: how much each voxel is to count."""

WEIGHT_COMPANIONS = frozenset({"error", "errors", "loss", "map", "maps"})
"""Words that go with these and say nothing more."""

_SPLIT_WORDS = {
    "train": "train",
    "training": "train",
    "valid": "validation",
    "val": "validation",
    "validation": "validation",
    "eval": "validation",
    "evaluation": "validation",
    "test": "test",
    "testing": "test",
}
_SPLIT_COMPANIONS = frozenset({"set", "sets", "data", "stage", "the", "for", "split"})
_GLUED = {"groundtruths": "groundtruth"}
_PAIRS = (("ground", "truth"), ("cp", "masks"), ("cp", "mask"))
"""Two words that count as one annotation word."""

_PIECES = re.compile(r"\d+|[^\W\d_]+")
_HUMPS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")


@lru_cache(maxsize=65536)
def words(name: str) -> Tokens:
    """The words and numbers of a name, lower case: ``"Cell7_cpMasks"`` → cell, 7, cp, masks."""
    found: list[str] = []
    for piece in _PIECES.findall(unicodedata.normalize("NFC", name)):
        found += _HUMPS.findall(piece) if piece.isascii() and piece.isalpha() else [piece]
    lowered = [word.casefold() for word in found]
    return tuple(_GLUED.get(word, word) for word in lowered)


def has_label_word(name: str) -> bool:
    """True if a name says that it is an annotation."""
    return len(without(words(name), LABEL_WORDS)) < len(words(name))


def has_any(name: str, vocabulary: frozenset[str]) -> bool:
    """True if a name holds one of the words."""
    return not vocabulary.isdisjoint(words(name))


def base(name: str) -> Tokens:
    """What a name calls its specimen: its words without those for image and annotation."""
    return without(without(words(name), LABEL_WORDS), IMAGE_WORDS)


def without(tokens: Tokens, vocabulary: frozenset[str]) -> Tokens:
    """The tokens that are not in the vocabulary; “ground truth”, “cp masks” go as annotations."""
    if vocabulary is LABEL_WORDS:
        tokens = _without_pairs(tokens)
    return tuple(token for token in tokens if token not in vocabulary)


def without_weights(tokens: Tokens) -> Tokens:
    """Tokens without those that mark weights; unchanged where none does."""
    if WEIGHT_WORDS.isdisjoint(tokens):
        return tokens
    return tuple(t for t in tokens if t not in WEIGHT_WORDS and t not in WEIGHT_COMPANIONS)


def numbers_plain(tokens: Tokens) -> Tokens:
    """Tokens with numbers stripped of leading zeros, so that ``007`` is ``7``."""
    return tuple(str(int(t)) if t.isdecimal() else t for t in tokens)


def folder_role(name: str) -> str | None:
    """``"label"``, ``"outline"``, ``"weights"``, ``"image"`` or None for the name of a folder."""
    if has_any(name, WEIGHT_WORDS):
        return "weights" if is_plain_role(name) else None
    if has_any(name, OUTLINE_WORDS):
        return "outline"
    if has_label_word(name) and not _is_list_of_images(name):
        return "label"
    if has_any(name, IMAGE_WORDS):
        return "image"
    return "label" if set(words(name)) <= OBJECT_WORDS and words(name) else None


def is_plain_role(name: str) -> bool:
    """True if a folder's name says nothing but its role and split, as “train_images” does."""
    tokens = words(name)
    known = LABEL_WORDS | IMAGE_WORDS | OUTLINE_WORDS | OBJECT_WORDS | _SPLIT_COMPANIONS
    if has_any(name, WEIGHT_WORDS):
        known |= WEIGHT_WORDS | WEIGHT_COMPANIONS
    rest = without(_without_pairs(tokens), known)
    return bool(tokens) and all(t in _SPLIT_WORDS or t.isdecimal() for t in rest)


def folder_split(name: str) -> str | None:
    """``"train"``, ``"validation"``, ``"test"`` or None for the name of a folder."""
    splits = {_SPLIT_WORDS[t] for t in words(name) if t in _SPLIT_WORDS}
    return splits.pop() if len(splits) == 1 and is_plain_role(name) else None


def _is_list_of_images(name: str) -> bool:
    """True for “labelled images”: the last word says what lies there."""
    tokens = words(name)
    return tokens[-1] in IMAGE_WORDS and tokens[0] in ("labeled", "labelled", "annotated")


def _without_pairs(tokens: Tokens) -> Tokens:
    for first, second in _PAIRS:
        for at in range(len(tokens) - 1):
            if tokens[at : at + 2] == (first, second):
                return tokens[:at] + tokens[at + 2 :]
    return tokens
