"""Somebody new with the installed app: from the menu entry to exported masks, by keys and mouse.

What happened is read from the files the app writes, from what its own command line says of the
project, and from the screen. The window is driven by the keys and words of its menus (the command
palette), so that a panel may move without breaking the story.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.bundle.bare_root import USER, BareRoot
from tests.bundle.report import Checks
from tests.bundle.screen import Box, NothingHappenedError, Screen, wait_for

ENTRY = "/usr/share/applications/orgseg.desktop"
CANVAS = Box(430, 250, 850, 600)
"""Well within the picture, wherever the panels beside it end."""
FIRST_STROKE = [(520, 330), (570, 350), (620, 380), (670, 400), (720, 420)]
SECOND_STROKE = [(520, 520), (570, 500), (620, 490), (670, 500), (720, 520)]
PANEL = Box(820, 300, 1280, 800)
"""Where the buttons of workspaces are."""

SWITCHED = 2000
"""Pixels of the panel that change at least with the workspace."""

OVERLAP = 'name = "by overlap"\nsteps = 150\nvalidate_every = 50\n'
BY_PIXEL = 'name = "by pixel"\nsteps = 75\nvalidate_every = 25\nloss = [{name = "bce"}]\n'
"""Recipes, beside what every recipe says; the first takes long enough to lose the window in it."""

START_S, TRAINING_S, SCORING_S = 120, 1800, 300
ENDS = ("finished", "stopped", "failed")


class SampleStory:
    """The steps in their order; each needs what the one before left.

    Attributes
    ----------
    project
        The sample's file, as the user names it; set by the step that opens it.
    """

    def __init__(self, root: BareRoot, screen: Screen) -> None:
        self._root, self._screen = root, screen
        self._window = ""
        self._painted: dict[str, Any] = {}
        self._started: list[subprocess.Popen[bytes]] = []
        self.project = Path()

    def steps(self) -> Iterator[Callable[[], Checks]]:
        """To be carried out one after the other."""
        yield self.start_from_menu
        yield self.open_sample
        yield self.paint
        yield self.train_and_lose_window
        yield self.double_click
        yield self.train_another
        yield self.compare
        yield self.export
        yield self.quit

    # -- the story ---------------------------------------------------------------------------------

    def start_from_menu(self) -> Checks:
        """As a desktop starts what its menu names."""
        self._start("gio", "launch", ENTRY)
        self._screen.settled()
        self._screen.shot("started from the menu")
        title = self._screen.title(self._window)
        yield "window of the menu entry", title, "", "OrgSeg", title == "OrgSeg"

    def open_sample(self) -> Checks:
        """A sample from the start page, by its command."""
        self._command("sample ER network")
        wait_for(lambda: "sample" in self._title(), "the sample's name in the title", START_S)
        outside = next(self._root.home.rglob("*.orgseg"))
        self.project = Path("/", outside.relative_to(self._root.folder))
        self._painted = self._painted_when_settled()
        self._screen.keys("Escape")  # whatever the first project was greeted with
        self._screen.settled()
        self._screen.shot("sample open")
        count = len(self._painted)
        yield "sample opened", count, "images painted", "three or more", count >= 3

    def paint(self) -> Checks:
        """A stroke with the brush."""
        yield "stroke painted", self._stroke(FIRST_STROKE), "pixels", "seen and kept", True
        self._screen.shot("stroke")

    def train_and_lose_window(self) -> Checks:
        """The window is killed while a network learns; the learning goes on."""
        run = self._train("by overlap", OVERLAP)
        wait_for(lambda: self._steps(run) > 0, "the first step of the training", TRAINING_S)
        self._screen.shot("training")
        before = self._steps(run)
        windows, jobs = self._root.processes(job=False), self._root.processes(job=True)
        yield "processes that learn", len(jobs), "", "one, not the window's", len(jobs) == 1
        for number in windows:
            os.kill(number, signal.SIGKILL)
        wait_for(lambda: not self._root.processes(job=False), "the end of the window")
        self._reap()
        wait_for(
            lambda: self._steps(run) > before or self._end(run) == "finished",
            "another step after the window was killed",
            TRAINING_S,
        )
        told = f"after step {before}, on to {self._steps(run)}"
        yield "training without its window", told, "", "goes on", True

    def double_click(self) -> Checks:
        """The project is opened by its file type; the stroke is there, the training followed."""
        self._start("gio", "open", str(self.project))
        wait_for(lambda: "sample" in self._title(), "the project's name in the title", START_S)
        self._screen.settled()
        self._screen.shot("opened again by the file")
        kept = self._painted_now() == self._painted
        yield "stroke after the kill", "there" if kept else "lost", "", "there", kept
        run = self._runs()[0]
        wait_for(lambda: self._end(run), "the end of the training", TRAINING_S)
        end = self._end(run)
        yield "training of the killed window", end, "", "finished", end == "finished"
        yield "stroke after that", self._stroke(SECOND_STROKE), "pixels", "seen and kept", True
        self._workspace(2)
        self._screen.shot("trained")

    def train_another(self) -> Checks:
        """Something to compare with: another loss, half as long."""
        run = self._train("by pixel", BY_PIXEL)
        wait_for(lambda: self._end(run), "the end of the second training", TRAINING_S)
        end = self._end(run)
        yield "second training", end, "", "finished", end == "finished"
        self._workspace(2)
        self._screen.shot("trained twice")

    def compare(self) -> Checks:
        """Both runs in the Compare workspace, and its table as a file."""
        self._workspace(3)
        self._screen.shot("compare")
        out = self._root.home / "comparison.json"
        self._command("Save comparison")
        self._answer_file_dialog(f"/home/{USER}/comparison.json")
        wait_for(out.is_file, "the saved comparison")
        wait_for(lambda: _is_json(out), "the whole comparison")
        runs = json.loads(out.read_text(encoding="utf-8"))["runs"]
        scored = sum(bool(run["pooled"].get("iou")) for run in runs)
        yield "runs compared", scored, "with scores", "two", scored == 2

    def export(self) -> Checks:
        """Masks as files; every voxel's value is one of the project's classes."""
        self._command("Export painted masks")
        self._screen.settled()
        self._press_button()
        folder = self._root.folder / str(self.project.parent)[1:]
        wanted = len(self._painted)

        def written() -> list[Path]:
            return sorted(folder.glob("* masks/*.tif*"))

        wait_for(lambda: len(written()) >= wanted, f"{wanted} masks", SCORING_S)
        wait_for(lambda: self._screen.settled(), "the window to say so")
        self._screen.shot("exported")
        files = written()
        yield "masks exported", len(files), f"of {wanted}", "all", len(files) == wanted
        shares = {file.stem: value_shares(file) for file in files}
        values = sorted(set().union(*shares.values()))
        classes = self._info()["classes"]
        known = list(range(len(classes)))  # 0 is background, then come the others
        are_classes = set(values) <= set(known) and len(values) > 1
        yield "values in them", values, "", f"classes: {known}", are_classes
        names = {value: item["name"] for value, item in enumerate(classes)}
        apart = max(
            abs(share - self._painted[image].get(names[value], 0.0))
            for image, found in shares.items()
            for value, share in found.items()
        )
        yield "shares of classes, from the painted", f"{apart:.1g}", "", "under 0.001", apart < 1e-3

    def quit(self) -> Checks:
        """Leave as people do."""
        self._screen.keys("ctrl+q")
        wait_for(lambda: not self._root.processes(job=False), "the window to close")
        left = self._root.processes(job=True)
        yield "processes after Quit", len(left), "", "none", not left

    # -- by hand -----------------------------------------------------------------------------------

    def _start(self, *command: str) -> None:
        words = self._root.as_user(*command, display=self._screen.display)
        log = (self._screen.shots / "app.log").open("ab")
        with log:
            self._started.append(subprocess.Popen(words, stdout=log, stderr=log))
        wait_for(lambda: self._screen.windows("OrgSeg"), "the window", START_S)
        self._window = self._screen.windows("OrgSeg")[-1]
        self._screen.place(self._window)

    def _reap(self) -> None:
        for started in self._started:
            started.poll()

    def _title(self) -> str:
        return self._screen.title(self._window)

    def _command(self, words: str) -> None:
        """By the command palette."""
        before = set(self._screen.windows())
        self._screen.focus(self._window)
        self._screen.keys("ctrl+k")
        wait_for(lambda: set(self._screen.windows()) - before, "the command palette")
        palette = set(self._screen.windows()) - before
        self._screen.settled()  # it takes the keyboard when it is painted
        self._screen.type(words)
        self._screen.settled()
        self._screen.keys("Return")
        wait_for(lambda: not palette & set(self._screen.windows()), f"“{words}” to be taken")
        self._screen.settled()

    def _answer_file_dialog(self, path: str) -> None:
        """Write a path into the dialog that has just opened."""

        def dialogs() -> list[str]:
            return [w for w in self._screen.windows() if w != self._window]

        wait_for(dialogs, "a file dialog")
        self._screen.settled()
        self._screen.focus(dialogs()[-1])
        self._screen.keys("ctrl+a")
        self._screen.type(path)
        self._screen.settled()
        self._screen.shot(f"file dialog for {Path(path).name}")
        self._screen.keys("Return")
        wait_for(lambda: not dialogs(), "the file dialog to close")
        self._screen.focus(self._window)

    def _press_button(self) -> None:
        """Click the workspace's one coloured button."""
        wait_for(lambda: self._screen.picture().button(PANEL), "the button of the workspace")
        spot = self._screen.picture().button(PANEL)
        assert spot is not None
        self._screen.click(*spot)

    def _workspace(self, number: int) -> None:
        """Go to Annotate, Train, Compare or Export; it may be there already."""
        before = self._screen.picture()
        self._screen.keys(f"ctrl+{number}")
        with contextlib.suppress(NothingHappenedError):
            wait_for(
                lambda: self._screen.picture().changed(before, PANEL) > SWITCHED, "a switch", 5
            )
        self._screen.settled()

    def _stroke(self, points: list[tuple[int, int]]) -> int:
        """Paint; wait until it is seen and in the project. How many pixels changed."""
        screen = self._screen
        self._workspace(1)
        screen.keys("b", "2")
        before = screen.settled()
        screen.drag(points)
        wait_for(lambda: screen.picture().changed(before, CANVAS) > 50, "the stroke on the screen")
        wait_for(lambda: self._painted_now() != self._painted, "the stroke in the project")
        self._painted = self._painted_now()
        return screen.settled().changed(before, CANVAS)

    def _train(self, name: str, recipe: str) -> Path:
        """Start a training with a recipe from a file; its run folder."""
        known = set(self._runs())
        (self._root.home / f"{name}.toml").write_text(recipe, encoding="utf-8")
        self._command("Open recipe")
        self._answer_file_dialog(f"/home/{USER}/{name}.toml")
        self._screen.settled()
        # The button waits until what is painted is counted.
        self._press_until("ctrl+r", lambda: set(self._runs()) - known, "a run folder")
        return (set(self._runs()) - known).pop()

    def _press_until(self, key: str, happened: Callable[[], object], what: str) -> None:
        """Press a key that does nothing while the window is not ready for it, or a second time."""
        for _ in range(6):
            self._screen.keys(key)
            with contextlib.suppress(NothingHappenedError):
                wait_for(happened, what, 30)
                return
        raise NothingHappenedError(f"{key} did not lead to {what}")

    # -- what happened -----------------------------------------------------------------------------

    def _info(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(
            self._root.user_run("orgseg", "info", self.project, "--json")
        )
        return found

    def _painted_now(self) -> dict[str, Any]:
        return {i["name"]: i["painted"] for i in self._info()["images"] if i["painted"]}

    def _painted_when_settled(self) -> dict[str, Any]:
        looks: list[dict[str, Any]] = [{}]

        def is_same() -> bool:
            looks.append(self._painted_now())
            return bool(looks[-1]) and looks[-1] == looks[-2]

        wait_for(is_same, "the sample's images in the project", START_S)
        return looks[-1]

    def _runs(self) -> list[Path]:
        """Folders of trainings, oldest first."""
        folder = self._root.folder / str(self.project.with_suffix(".runs"))[1:]
        return sorted((f.parent for f in folder.glob("*/events.jsonl")), key=_age)

    def _events(self, run: Path, kind: str) -> list[dict[str, Any]]:
        lines = (run / "events.jsonl").read_bytes().split(b"\n")[:-1]
        events: list[dict[str, Any]] = [json.loads(line) for line in lines if line]
        return [event for event in events if event["event"] == kind]

    def _steps(self, run: Path) -> int:
        steps = self._events(run, "step")
        return int(steps[-1]["step"]) if steps else 0

    def _end(self, run: Path) -> str:
        return next((kind for kind in ENDS if self._events(run, kind)), "")


def value_shares(file: Path) -> dict[int, float]:
    """Which values a mask of one byte a voxel holds, and in what share of it."""
    words = ["convert", str(file), "-depth", "8", "gray:-"]
    values = subprocess.run(words, capture_output=True, check=True).stdout
    return {value: count / len(values) for value, count in sorted(Counter(values).items())}


def _age(folder: Path) -> int:
    return (folder / "request.json").stat().st_mtime_ns


def _is_json(file: Path) -> bool:
    try:
        json.loads(file.read_text(encoding="utf-8"))
    except ValueError:
        return False
    return True
