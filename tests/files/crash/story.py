"""What a story does to a project, and what the project must look like after each step.

The model below is plain arrays and lists and shares nothing with the store but the edits
themselves; its undo keeps whole copies of what was there, so that the store's is checked by it.
"""

from __future__ import annotations

import copy
import hashlib
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from orgseg_app.core.classes import ClassInfo, background
from orgseg_app.core.edits.outlines import PaintPolygon
from orgseg_app.core.edits.recorder import Edit, Recorder
from orgseg_app.core.edits.regions import FloodFill
from orgseg_app.core.edits.strokes import PaintStroke
from orgseg_app.core.edits.whole import ClearMask, MergeClass, ReplaceMask
from orgseg_app.core.image import open_array
from orgseg_app.core.mask import Box, Mask
from orgseg_app.files.project_file import NewImage

SHAPE = (1, 1, 280, 300)
"""Of the images: several blocks of the mask and several chunks of the pixels."""

Operation = dict[str, Any]
Description = dict[str, Any]


def digest(array: np.ndarray) -> str:
    """Fingerprint of an array's bytes."""
    return hashlib.blake2b(np.ascontiguousarray(array), digest_size=12).hexdigest()


def digest_of(mask: Mask) -> str:
    """Fingerprint of a mask and its objects."""
    return digest_both(mask.to_array(), mask.objects.to_array())


def digest_both(classes: np.ndarray, numbers: np.ndarray) -> str:
    """Fingerprint of class ids and object numbers; there may be none of these."""
    return digest(classes) + (digest(numbers) if numbers.any() else "")


def pixels_of(seed: int) -> np.ndarray:
    """Voxels of the image with this seed."""
    return np.random.default_rng(seed).integers(0, 4000, SHAPE).astype(np.uint16)


def mask_of(seed: int) -> np.ndarray:
    """The mask that comes with it."""
    mask = np.zeros(SHAPE[1:], np.uint8)
    y, x = np.random.default_rng(seed).integers(0, 190, 2)
    mask[:, y : y + 90, x : x + 70] = 2
    return mask


def new_image(name: str, seed: int) -> NewImage:
    """An image to import."""
    return NewImage(open_array(name, pixels_of(seed)), mask=mask_of(seed))


def classes_of(seed: int) -> tuple[ClassInfo, ...]:
    """A list of classes that says which."""
    named = [ClassInfo(i, f"class {i} of {seed}", f"#0{i}{i}{i}{i}0") for i in range(2, 6)]
    return (background(), *named)


def object_of(seed: int) -> int:
    """The object in the hand meanwhile; 0 without one."""
    return random.Random(seed + 1).choice([0, 0, 0, 1, 2, 3, 70_000])


def edit_of(seed: int) -> Edit:
    """One act of a person, any of the kinds there are."""
    rng = random.Random(seed)
    _, _, height, width = SHAPE
    y, x, class_id = rng.uniform(0, height), rng.uniform(0, width), rng.randint(0, 5)
    kind = rng.random()
    if kind < 0.65:
        points = [(y, x)]
        for _ in range(rng.randint(1, 6)):
            points.append((points[-1][0] + rng.gauss(0, 30), points[-1][1] + rng.gauss(0, 30)))
        size, protect = rng.randint(1, 60), rng.random() < 0.3
        return PaintStroke(0, tuple(points), size, class_id, rng.random() < 0.3, protect)
    if kind < 0.8:
        outline = [(y + rng.gauss(0, 90), x + rng.gauss(0, 90)) for _ in range(rng.randint(3, 9))]
        return PaintPolygon(0, tuple(outline), class_id)
    if kind < 0.9:
        return FloodFill(0, int(y), int(x), class_id)
    if kind < 0.94:
        return MergeClass(rng.randint(1, 5), rng.randint(0, 5))
    if kind < 0.96:
        return ClearMask(0, rng.choice([None, 1, 2, 3, 4, 5]))
    return ReplaceMask(np.roll(mask_of(seed), 40), only_unlabelled=rng.random() < 0.7)


@dataclass
class _Step:
    """One step of the model's undo history, with what was there before and after."""

    name: str
    box: Box
    before: Mask
    after: Mask


@dataclass
class Picture:
    """One image of the model."""

    seed: int
    mask: Mask
    note: str = ""
    split: str = "train"
    pixels: str = ""

    def describe(self) -> Description:
        """What a look at the project says of it."""
        return {
            "pixels": self.pixels,
            "mask": digest_of(self.mask),
            "note": self.note,
            "split": self.split,
        }


@dataclass
class Model:
    """What a project must hold."""

    images: dict[str, Picture] = field(default_factory=dict)
    classes: int = 0
    done: list[_Step] = field(default_factory=list)
    undone: list[_Step] = field(default_factory=list)

    def copy(self) -> Model:
        """Another one, free to go its own way."""
        twin = copy.copy(self)
        twin.images = {name: copy.copy(image) for name, image in self.images.items()}
        for image in twin.images.values():
            image.mask = image.mask.copy()
        twin.done, twin.undone = list(self.done), list(self.undone)
        return twin

    def add(self, name: str, seed: int) -> None:
        """Import."""
        pixels = digest(pixels_of(seed))
        self.images[name] = Picture(seed, Mask.from_array(mask_of(seed)), pixels=pixels)

    def apply(self, operation: Operation) -> None:
        """What the operation must do; undo and redo at their end do nothing."""
        name = operation.get("image", "")
        match operation["op"]:
            case "paint":
                self._paint(name, edit_of(operation["seed"]), object_of(operation["seed"]))
            case "undo":
                self._move(self.done, self.undone, back=True)
            case "redo":
                self._move(self.undone, self.done, back=False)
            case "note":
                self.images[name].note = operation["text"]
            case "split":
                self.images[name].split = operation["text"]
            case "classes":
                self.classes = operation["seed"]
            case "import":
                for new, seed in operation["images"]:
                    self.add(new, seed)
            case "remove":
                del self.images[name]
                self.done = [s for s in self.done if s.name != name]
                self.undone = [s for s in self.undone if s.name != name]
            case "save" | "compact":
                pass
            case other:
                raise ValueError(other)

    def describe(self) -> Description:
        """What a look at the project must say."""
        return {
            "classes": [[c.class_id, c.name, c.colour] for c in classes_of(self.classes)],
            "images": {name: image.describe() for name, image in self.images.items()},
            "order": list(self.images),
            "history": [len(self.done), len(self.undone)],
        }

    def walk_back(self, steps: int) -> list[dict[str, str]]:
        """Fingerprints of the masks after one undo, two undos, …"""
        twin = self.copy()
        found = []
        for _ in range(min(steps, len(self.done))):
            twin.apply({"op": "undo"})
            found.append({name: digest_of(i.mask) for name, i in twin.images.items()})
        return found

    def _paint(self, name: str, edit: Edit, object_id: int) -> None:
        mask = self.images[name].mask
        before = mask.copy()
        recorder = Recorder(name, mask, object_id)
        edit.apply(recorder)
        box = recorder.box
        if digest_of(before) != digest_of(mask):
            region = np.s_[box.z0 : box.z1, box.y0 : box.y1, box.x0 : box.x1]
            for old, new in ((before, mask), (before.objects, mask.objects)):
                differs = old.to_array() != new.to_array()
                assert np.count_nonzero(differs) == np.count_nonzero(differs[region]), (
                    "an edit changed what lies outside its box"
                )
            self.done.append(_Step(name, box, before, mask.copy()))
            self.undone.clear()

    def _move(self, source: list[_Step], target: list[_Step], *, back: bool) -> None:
        if source:
            step = source.pop()
            target.append(step)
            self.images[step.name].mask = (step.before if back else step.after).copy()


def first_model() -> Model:
    """The project every story begins with: `tell.create` makes it."""
    model = Model()
    for name, seed in FIRST:
        model.add(name, seed)
    return model


FIRST = [("first", 1), ("second", 2)]


def painting(rng: random.Random, names: Sequence[str], count: int) -> Iterator[Operation]:
    """Strokes, undo, redo, notes and classes, as a person at work makes them."""
    for _ in range(count):
        kind = rng.random()
        seed = rng.randrange(2**31)
        if kind < 0.72:
            yield {"op": "paint", "image": rng.choice(names), "seed": seed}
        elif kind < 0.85:
            yield {"op": "undo"}
        elif kind < 0.92:
            yield {"op": "redo"}
        elif kind < 0.96:
            text = f"note {seed} ü," * rng.randint(1, 20)
            yield {"op": "note", "image": rng.choice(names), "text": text}
        elif kind < 0.98:
            split = rng.choice(["train", "validation", "test"])
            yield {"op": "split", "image": rng.choice(names), "text": split}
        else:
            yield {"op": "classes", "seed": seed}
