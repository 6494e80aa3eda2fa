"""The child that lives a story: it opens a project, works in it, and says what is safe.

Every line it writes is one event: ``did 4`` (operation 4 is done in memory), ``safe 5`` (the user
was told that everything before operation 5 is saved), ``begin save`` and ``end save`` around what
takes long, ``failed 4 <sentence>`` where an error was shown instead, ``trouble 4 <sentence>`` where
the banner says that what is decided and safe could not be written yet.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path

from orgseg_app.core.classes import ClassInfo
from orgseg_app.core.edits.recorder import Recorder
from orgseg_app.files.errors import FileError
from orgseg_app.files.project_file import ProjectFile
from orgseg_app.files.safety import gate, known_files
from tests.files.crash.story import FIRST, Operation, classes_of, edit_of, new_image, object_of

LONG = ("import", "save", "compact", "remove")


def let_in(path: Path) -> None:
    """Have this process open a project without the throw-away child, which takes 0.3 s.

    It is asked even for a known file where opening finishes a save: that changes the file.
    """
    known_files.remember(path)
    gate.admit = lambda *_, **__: None  # type: ignore[assignment]


def create(path: Path) -> None:
    """The project every story begins with."""
    with ProjectFile.create(path, classes_of(0)) as file:
        file.add_images([new_image(name, seed) for name, seed in FIRST])


class Teller:
    """Works through operations on one project.

    Parameters
    ----------
    path
        The project.
    say
        Takes the lines.
    lies
        Say that things are safe before they are: what the harness must find out.
    every
        Commit after so many operations, as a window under load does.
    gated
        Let a throw-away child look at the file first, as the application does with unknown ones.
    """

    def __init__(
        self,
        path: Path,
        say: Callable[[str], None],
        *,
        lies: bool = False,
        every: int = 1,
        gated: bool = False,
    ) -> None:
        if not gated:
            let_in(path)
        self.path = path
        self.say = say
        self.lies = lies
        self.every = every
        self.file: ProjectFile | None = None
        self.at_end: Callable[[ProjectFile], None] = lambda _: None

    def tell(self, operations: Iterable[Operation], *, close: bool = True) -> None:
        """Open, do everything, close. Errors the user would see are lines; others are raised."""
        self.say("begin open")
        try:
            file = self.file = ProjectFile.open(self.path)
        except FileError as error:
            self.say(f"failed open {error}")
            return
        self.say("end open")
        if file.read_only:
            self.say(f"failed open {file.read_only_reason}")
            file.close()
            return
        done = -1
        for done, operation in enumerate(operations):
            self._step(done, operation)
        self._commit(done + 1)
        self.at_end(file)
        if close:
            self.say("begin close")
            file.close()
            self.say("end close")

    def _step(self, number: int, operation: Operation) -> None:
        kind = operation["op"]
        if self.lies and kind not in LONG:
            self.say(f"safe {number + 1}")
        if kind in LONG or kind == "paint":
            self.say(f"begin {kind}")
        try:
            is_safe = self._do(number, operation)
        except FileError as error:
            self.say(f"failed {number} {kind} {error}")
            return
        self.say(f"did {number}")
        if is_safe:
            self.say(f"safe {number + 1}")
        elif (number + 1) % self.every == 0:
            self._commit(number + 1)
        if kind in LONG or kind == "paint":
            self.say(f"end {kind}")

    def _commit(self, upto: int) -> None:
        assert self.file is not None
        try:
            self.file.commit_all()
        except FileError as error:
            self.say(f"failed {upto - 1} commit {error}")
            return
        if self.file.has_uncommitted:
            raise AssertionError("a commit that returned left something behind")
        self.say(f"safe {upto}")

    def _look_for_leftovers(self, number: int) -> None:
        """Nothing is left after a save but what is safe in the journal; then that is said."""
        assert self.file is not None
        if self.file.trouble:
            self.say(f"trouble {number} {self.file.trouble}")
        elif self.file.is_dirty:
            raise AssertionError("a save that returned left something behind")

    def _do(self, number: int, operation: Operation) -> bool:
        """Do one operation; True when its return already says that everything is saved."""
        file = self.file
        assert file is not None
        ids = {image.name: image_id for image_id, image in file.project.images.items()}
        image_id = ids.get(operation.get("image", ""), "")
        match operation["op"]:
            case "paint":
                recorder = Recorder(image_id, file.mask(image_id), object_of(operation["seed"]))
                edit = edit_of(operation["seed"])
                edit.apply(recorder)
                change = recorder.finish(edit.title)
                if change is not None:
                    file.note_change(change)
            case "undo":
                file.undo()
            case "redo":
                file.redo()
            case "note":
                file.set_note(image_id, operation["text"])
            case "split":
                file.set_split(image_id, operation["text"])
            case "classes":
                file.set_classes(tuple(ClassInfo(*c) for c in _facts(operation["seed"])))
            case "import":
                file.add_images([new_image(name, seed) for name, seed in operation["images"]])
                return not file.has_uncommitted
            case "remove":
                file.remove_image(image_id)
                file.save()
                return True
            case "save":
                file.save()
                self._look_for_leftovers(number)
                return True
            case "compact":
                file.compact()
                return not file.has_uncommitted
            case other:
                raise ValueError(other)
        return False


def _facts(seed: int) -> list[tuple[int, str, str]]:
    return [(c.class_id, c.name, c.colour) for c in classes_of(seed)]


def line_writer(descriptor: int) -> Callable[[str], None]:
    """Write whole lines, each at once: what was written before a kill is there after it."""

    def say(line: str) -> None:
        os.write(descriptor, (line.replace("\n", " ") + "\n").encode())

    return say
