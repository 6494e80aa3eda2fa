"""Predictions that outlive their process: finished pieces in files, and a record of them.

Layout of the folder, beside the mask that is being made and called ``.NAME.predicting``::

    mask.raw           (Z, Y, X) uint8 class ids, as far as they are finished
    maps.raw           (M, Z, Y, X) uint8 what objects are made of, of models that know them
    overlap-*.raw …    what is needed to go on; see `slabs` and `three_planes`
    pending-N.npy      the same, small; N counts records
    record.json        what is predicted by what, how tiles lie, and how far it has come

A record is written when everything it speaks of has reached the disk, and takes the place of the
one before in one step; what that one needs is written over only then. So there is always a record
that is true, whenever the process is killed, and going on from it gives the same mask.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from orgseg_app.files import atomic
from orgseg_app.learn.checkpoint import Model
from orgseg_app.learn.errors import DataError
from orgseg_app.learn.prediction.keeping import Keeper, Position
from orgseg_app.learn.prediction.predictor import Predictor
from orgseg_app.learn.prediction.scratch import NamedScratch
from orgseg_app.runs.recipes.reading import recipe_to_builtins

_VERSION = 1
_RECORD = "record.json"
_RECORD_EVERY_S = 5.0


class Work(Keeper):
    """The mask of one image in the making.

    Parameters
    ----------
    folder
        Where it lies; see `work_folder`.
    predictor
        By what it is made; takes over how tiles lay where it goes on.
    shape_zyx
        Of the mask.
    facts
        What else has to be the same to go on: of the image, such as the time of its last change.
    resume
        Go on where there is something that fits; otherwise it is begun anew.

    Attributes
    ----------
    is_continued
        Whether it goes on.

    Raises
    ------
    DataError
        With a sentence, when the disk refuses.
    """

    def __init__(
        self,
        folder: Path,
        predictor: Predictor,
        shape_zyx: tuple[int, int, int],
        facts: dict[str, Any],
        *,
        resume: bool,
    ) -> None:
        super().__init__(folder)
        self._predictor = predictor
        self._made_of = _made_of(predictor, shape_zyx, facts)
        known = _read_record(folder) if resume else None
        self._number, self._last = 0, time.monotonic()
        if known is not None and known.get("made_of") == self._made_of:
            self._take_over(known)
        self.is_continued = self.start is not None
        try:
            if not self.is_continued:
                shutil.rmtree(folder, ignore_errors=True)
                folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise _refused(folder, error) from error
        self._files = NamedScratch(folder)
        self.lasting = self._files
        self.mask = self._files.array("mask", shape_zyx, np.uint8)
        self.maps = None
        if predictor.has_depth:
            self.maps = self._files.array("maps", (predictor.maps, *shape_zyx), np.uint8)

    def _take_over(self, record: dict[str, Any]) -> None:
        assert self.folder is not None
        pending = None
        if record["pending"]:
            try:
                pending = np.load(self.folder / record["pending"], allow_pickle=False)
            except (OSError, ValueError):
                return
        for group, settings in zip(self._predictor.groups, record["tiles"], strict=True):
            group.restore(settings)
        self.start, self.pending = record["position"], pending
        self._number = int(record["number"])

    def reached(
        self, position: Position, pending: NDArray[np.float32] | None = None, *, must: bool = False
    ) -> None:
        """Record a position, unless that was done a few seconds ago; see `Keeper`.

        Raises
        ------
        DataError
            With a sentence, when the disk refuses.
        """
        if not must and time.monotonic() - self._last < _RECORD_EVERY_S:
            return
        assert self.folder is not None
        self._number += 1
        name = f"pending-{self._number}.npy" if pending is not None else ""
        record = {
            "version": _VERSION,
            "made_of": self._made_of,
            "number": self._number,
            "position": position,
            "pending": name,
            "tiles": [group.settings() for group in self._predictor.groups],
        }
        try:
            self._files.sync()
            if pending is not None:
                with open(self.folder / name, "wb") as file:
                    np.save(file, pending, allow_pickle=False)
                    file.flush()
                    atomic.sync(file.fileno())
            with atomic.replacing(self.folder / _RECORD) as draft:
                draft.write_text(json.dumps(record), encoding="utf-8")
        except OSError as error:
            raise _refused(self.folder, error) from error
        for old in self.folder.glob("pending-*.npy"):
            if old.name != name:
                old.unlink(missing_ok=True)
        self._last = time.monotonic()

    def close(self) -> None:
        """Let go of the files; they stay where there is something to go on from."""
        super().close()
        self._files.close()
        assert self.folder is not None
        if not (self.folder / _RECORD).exists():
            shutil.rmtree(self.folder, ignore_errors=True)

    def remove(self) -> None:
        """The mask is where it belongs: let go of everything."""
        self.close()
        assert self.folder is not None
        shutil.rmtree(self.folder, ignore_errors=True)


def work_folder(out: Path, stem: str) -> Path:
    """Where the mask of an image of a name is made."""
    return out / f".{atomic.shortened(stem, 200)}.predicting"


def _read_record(folder: Path) -> dict[str, Any] | None:
    with suppress(OSError, ValueError):
        record = json.loads((folder / _RECORD).read_text(encoding="utf-8"))
        if isinstance(record, dict) and record.get("version") == _VERSION:
            return record
    return None


def _made_of(
    predictor: Predictor, shape_zyx: tuple[int, int, int], facts: dict[str, Any]
) -> dict[str, Any]:
    """What a mask depends on, ready for JSON."""
    made = {
        "shape": list(shape_zyx),
        "facts": facts,
        "models": [_fingerprint(model) for model in predictor.models],
        "stitch": predictor.stitch,
        "turns": predictor.turns,
        "vote": predictor.vote,
        "three_planes": predictor.three_planes,
        "device": [predictor.device.kind, predictor.device.precision],
    }
    taken: dict[str, Any] = json.loads(json.dumps(made))
    return taken


def _fingerprint(model: Model) -> str:
    """Of a model's weights and recipe."""
    digest = hashlib.sha256()
    for name, tensor in sorted(model.network.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    digest.update(json.dumps(recipe_to_builtins(model.recipe), sort_keys=True).encode())
    digest.update(repr((model.class_ids, model.channels)).encode())
    return digest.hexdigest()


def _refused(folder: Path, error: OSError) -> DataError:
    return DataError(
        f'What is finished of the prediction could not be written to "{folder.parent}": '
        f"{atomic.reason(error)}. Make room there and go on, or choose another folder."
    )
