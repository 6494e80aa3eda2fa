"""What a nursery's child may be asked to do: each function is given ``say`` and its arguments."""

from __future__ import annotations

import json
import os
import resource
import signal
import time
import types
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from orgseg_app.core.edits.recorder import Recorder
from orgseg_app.core.image import open_array
from orgseg_app.core.project import ProjectImage
from orgseg_app.files import atomic
from orgseg_app.files.images import layers, planes
from orgseg_app.files.project_file import NewImage, ProjectFile
from orgseg_app.files.store import paged_file, storage
from orgseg_app.files.store.journal import Journal
from orgseg_app.files.store.lock import LockedError, ProjectLock
from tests.files.crash import reader, shim, storyteller
from tests.files.crash.story import Description, Operation, classes_of, digest_of
from tests.files.crash.storyteller import let_in

Say = Callable[[str], None]


def create(say: Say, path: str) -> None:
    """Make the project every story begins with."""
    storyteller.create(Path(path))


def tell(
    say: Say, path: str, operations: list[Operation], *, linger: bool = False, **options: Any
) -> None:
    """Live a story; with ``linger`` the project stays open until a kill."""

    def wait(_: ProjectFile) -> None:
        say("idle")
        signal.pause()

    teller = storyteller.Teller(Path(path), say, **options)
    if linger:
        teller.at_end = wait
    teller.tell(operations)


def look(say: Say, path: str, *, blind: bool = False, **options: Any) -> dict[str, Any]:
    """Look at a project; with ``blind`` by a program that trusts HDF5's lists of blocks."""
    if blind:
        for module in (layers, planes):
            module.can_be_found = lambda *_: True  # type: ignore[attr-defined]
            module.read_text = lambda *_: None  # type: ignore[attr-defined]
    return reader.look(Path(path), **options)


def record(
    say: Say,
    path: str,
    operations: list[Operation],
    log: str,
    which: int = shim.CHANGES,
    without: str = "",
) -> int:
    """Live a story that is recorded; the lines go to the file ``ack`` of the folder as well.

    Parameters
    ----------
    without
        A barrier to take out of the program first: see `BARRIERS`.
    """
    if without:
        BARRIERS[without]()
    folder = Path(os.path.realpath(path)).parent
    teller = storyteller.Teller(Path(path), say)
    shim.watch(folder, Path(log))
    shim.fail(0, 0, shim.PASS, which)
    ack = os.open(folder / "ack", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    told = storyteller.line_writer(ack)

    def both(line: str) -> None:
        told(line)
        say(line)

    teller.say = both
    teller.tell(operations)
    return shim.calls()


def _without_syncing_appended() -> None:
    """HDF5's new bytes are not pushed to the disk before the save is decided."""
    storage.sync_appended = lambda _: None


def _without_syncing_pages() -> None:
    """The pages are not pushed to the disk before the journal forgets them."""
    without = types.ModuleType(atomic.__name__)
    vars(without).update(vars(atomic))
    without.sync = lambda _: None  # type: ignore[attr-defined]
    paged_file.atomic = without  # type: ignore[attr-defined,assignment]


def _without_syncing_commits() -> None:
    """SQLite pushes its log to the disk now and then, and not with each commit."""
    prepare = Journal._prepare

    def prepare_wrongly(self: Journal, run: Any) -> None:
        said = []

        def run_other(text: str) -> Any:
            said.append(text)
            return run(text.replace("synchronous=full", "synchronous=normal"))

        prepare(self, run_other)
        assert "pragma synchronous=full" in said

    Journal._prepare = prepare_wrongly  # type: ignore[method-assign]


BARRIERS = {
    "appended data": _without_syncing_appended,
    "pages": _without_syncing_pages,
    "journal": _without_syncing_commits,
}


def fail(
    say: Say, path: str, operations: list[Operation], at: int, error: int, mode: int, which: int
) -> dict[str, Any]:
    """Live a story in which one call fails, or all from one on; says which, and what is open."""
    teller = storyteller.Teller(Path(path), say)
    found: dict[str, Any] = {}

    def at_end(file: ProjectFile) -> None:
        if which == shim.READS:  # looking is no part of the story
            found["failed"] = shim.failed()
            shim.fail(0, 0, shim.PASS)
        found["open"] = reader.describe(file)

    teller.at_end = at_end
    shim.watch(Path(os.path.realpath(path)).parent)
    shim.fail(at, error, mode, which)
    teller.tell(operations)
    found.setdefault("failed", shim.failed())
    return found


def crowded(
    say: Say, path: str, operations: list[Operation], *, file_size: int = 0, careful: bool = False
) -> Description:
    """Live a story where there is little room, and say what is open in the end.

    Parameters
    ----------
    file_size
        Bytes that no file may exceed; 0 where the disk itself is small.
    careful
        Look at the free room before writing, as the application does; without that every write
        comes to the end of the disk.
    """
    if not careful:
        atomic.check_space = lambda *_: None  # type: ignore[assignment]
    teller = storyteller.Teller(Path(path), say)
    found: Description = {}
    teller.at_end = lambda file: found.update(reader.describe(file))
    if file_size:
        resource.setrlimit(resource.RLIMIT_FSIZE, (file_size, file_size))
    teller.tell(operations)
    return found


def step_through(say: Say, path: str, kind: str, count: int) -> None:
    """Undo or redo step by step, each made durable; tells the masks after each."""
    let_in(Path(path))
    with ProjectFile.open(path) as file:
        for _ in range(count):
            change = file.undo() if kind == "undo" else file.redo()
            if change is None:
                say("the end")
                return
            file.commit_all()
            masks = {i.name: digest_of(file.mask(k)) for k, i in _images(file)}
            say(f"at {len(file.history)} {json.dumps(masks, sort_keys=True)}")


def _images(file: ProjectFile) -> list[tuple[str, ProjectImage]]:
    return list(file.project.images.items())


# -- byte flips ------------------------------------------------------------------------------------


def create_tiny(say: Say, path: str) -> None:
    """A small project with all there is in one, saved and closed in order."""
    rng = np.random.default_rng(5)
    with ProjectFile.create(Path(path), classes_of(3)) as file:
        for number, dtype in enumerate((np.uint8, np.uint16)):
            pixels = rng.integers(0, 250, (1, 1, 300, 280)).astype(dtype)
            mask = np.zeros((1, 300, 280), np.uint8)
            mask[:, 20 : 200 + number, 100:270] = 2 + number
            objects = (mask > 0) * np.arange(1, 281, dtype=np.uint32)
            item = NewImage(open_array(f"picture {number}", pixels), mask=mask)
            file.add_images([replace(item, objects=objects if number else None)])
        for image_id in file.project.images:
            file.set_note(image_id, f"note of {image_id}"[:8])
        file.save()


def create_deep(say: Say, path: str) -> None:
    """One image of more blocks than a node of HDF5's list takes, so that this has inner nodes."""
    depth = 70
    pixels = np.random.default_rng(6).integers(0, 250, (1, depth, 24, 20)).astype(np.uint8)
    mask = np.ones((depth, 24, 20), np.uint8)
    mask[:, 5:11, 4:9] = (np.arange(depth) % 3 + 2).reshape(-1, 1, 1)
    with ProjectFile.create(Path(path), classes_of(3)) as file:
        objects = mask * np.arange(1, 71, dtype=np.uint32).reshape(-1, 1, 1)
        file.add_images([NewImage(open_array("deep stack", pixels), mask=mask, objects=objects)])


def leave_a_journal(say: Say, path: str) -> None:
    """Paint and do not save; the process ends as a crash would end it."""
    file = ProjectFile.open(path)
    for number in range(12):
        image_id = list(file.project.images)[number % 2]
        recorder = Recorder(image_id, file.mask(image_id), number % 4)
        recorder.paint(0, 10 * number, 60, np.ones((40, 40), np.bool_), 2 + number % 3)
        change = recorder.finish("paint")
        assert change is not None
        file.note_change(change)
        file.commit_all()
        if number == 5:
            file.save()
    say("left")
    os.kill(os.getpid(), signal.SIGKILL)


def voxels_of_images(say: Say, path: str) -> list[tuple[int, int]]:
    """Where the pixels lie in the file, as h5py says: offset and size of each block."""
    found: list[tuple[int, int]] = []

    def visit(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset) and not name.endswith(("mask", "objects", "thumbnail")):
            for number in range(item.id.get_num_chunks() if item.chunks else 0):
                chunk = item.id.get_chunk_info(number)
                found.append((int(chunk.byte_offset), int(chunk.size)))

    with h5py.File(path, "r") as file:
        front = file.userblock_size
        file.visititems(visit)
    return [(front + offset, size) for offset, size in found]


# -- races -----------------------------------------------------------------------------------------


def race(say: Say, path: str, rounds: int, *, unlocked: bool = False) -> list[list[str]]:
    """Let two processes open the same project at the same moment; what each of them got.

    With ``unlocked`` the lock is left out: what the test must notice.
    """
    if unlocked:
        ProjectLock.acquire = lambda _: None  # type: ignore[method-assign,assignment]
    found = []
    for _ in range(rounds):
        let_in(Path(path))
        start, ready = os.pipe()
        over, end = os.pipe()
        answers, answer = os.pipe()
        children = []
        for _ in range(2):
            child = os.fork()
            if child == 0:
                os.close(ready)
                os.close(end)
                _racer(path, start, over, answer)
            children.append(child)
        os.close(answer)
        os.close(ready)  # they are off
        lines: list[str] = []
        while len(lines) < 2 and (piece := os.read(answers, 4096)):
            lines += piece.decode().splitlines()
        os.close(end)  # both have said what they got: they may let go
        for child in children:
            os.waitpid(child, 0)
        for descriptor in (start, over, answers):
            os.close(descriptor)
        found.append(sorted(lines))
    return found


def _racer(path: str, start: int, over: int, answer: int) -> None:
    os.read(start, 1)
    try:
        file = ProjectFile.open(path)
    except LockedError:
        os.write(answer, b"locked\n")
    except BaseException as error:
        os.write(answer, f"{type(error).__name__} {error}\n".encode())
    else:
        said = f"reads {file.read_only_reason}" if file.read_only else "writes"
        os.write(answer, f"{said}\n".encode())
        os.read(over, 1)
        file.close()
    os._exit(0)


def churn(say: Say, path: str, rounds: int, *, writers: int = 3) -> list[str]:
    """Let processes open and close as fast as they can; what happened, once for each opening.

    Each goes on until it has written so many times. A writer makes a file that must not be there
    yet, and takes it away before it closes.
    """
    let_in(Path(path))
    mark = f"{path}.somebody writes"
    answers, answer = os.pipe()
    children = []
    for _ in range(writers):
        child = os.fork()
        if child == 0:
            left = rounds
            while left:
                try:
                    with ProjectFile.open(path) as file:
                        left -= 1
                        if file.read_only:
                            os.write(answer, f"reads {file.read_only_reason}\n".encode())
                            continue
                        os.close(os.open(mark, os.O_CREAT | os.O_EXCL))
                        os.unlink(mark)
                        os.write(answer, b"writes\n")
                except LockedError:
                    os.write(answer, b"locked\n")
                    time.sleep(0.001)
                except BaseException as error:
                    os.write(answer, f"{type(error).__name__} {error}\n".encode())
                    left -= 1
            os._exit(0)
        children.append(child)
    os.close(answer)
    with os.fdopen(answers) as lines:
        found = lines.read().splitlines()
    for child in children:
        os.waitpid(child, 0)
    return found
