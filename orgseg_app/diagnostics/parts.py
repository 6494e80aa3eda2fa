"""What a diagnostic report holds, part by part; each is plain text that a person can read first."""

from __future__ import annotations

import json
import os
import platform
import sys
import time
import zipfile
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from orgseg_app import __version__, logs, paths
from orgseg_app import settings as settings_module
from orgseg_app.core.project import Project, ProjectImage
from orgseg_app.diagnostics.scrubbing import Scrubber, known_people
from orgseg_app.files import atomic
from orgseg_app.runs.folder import RunFolder, list_runs

LOGS_KEPT = 3
CRASHES_KEPT = 3
RUNS_KEPT = 5
IMAGES_LISTED = 100
HEAD_BYTES, TAIL_BYTES = 40_000, 120_000
RUN_TAIL_BYTES = 20_000


@dataclass(frozen=True)
class Part:
    """One part of a report.

    Attributes
    ----------
    key
        "about", "computer", "screen", "settings", "project", "runs", "log".
    title
        For people.
    file_name
        Inside the report.
    text
        All of it, without names and places.
    """

    key: str
    title: str
    file_name: str
    text: str


class Report:
    """Gathers the parts; reads files, so not in the window's thread.

    Parameters
    ----------
    project
        Facts of the open project; None for none.
    project_path
        Where it lies.
    people
        See `Scrubber`; None for this user and this computer.
    """

    def __init__(
        self,
        project: Project | None = None,
        project_path: Path | None = None,
        *,
        people: Mapping[str, str] | None = None,
    ) -> None:
        self.project, self.path = project, project_path
        self.runs = list_runs(project_path) if project_path is not None else []
        self.settings = settings_module.load()
        self.scrubber = Scrubber(
            known_people() if people is None else people,
            known_names(project, project_path, self.runs, self.settings.recent_projects),
        )

    def parts(self, screen: Mapping[str, Any] | None = None) -> list[Part]:
        """All parts but that of the computer.

        Parameters
        ----------
        screen
            What Qt says of the screens; None where no window asks.
        """
        shown = dict(screen) if screen is not None else _screen_variables()
        found = [
            Part("about", "OrgSeg and system", "about.txt", self.scrubber.text(_about())),
            Part("screen", "Screens and Qt", "screen.json", self._json(shown)),
            Part("settings", "Settings", "settings.json", self._json(self._settings())),
        ]
        if self.project is not None:
            facts = self._json(self._project())
            found.append(Part("project", "Project, in numbers", "project.json", facts))
        if self.runs:
            found.append(Part("runs", "Runs and their errors", "runs.txt", self._runs()))
        found.append(Part("log", "Logs", "log.txt", self._logs()))
        return found

    def computer(self, facts: Mapping[str, Any] | None) -> Part:
        """What ``orgseg doctor --json`` says; None where it gave no answer."""
        told = dict(facts) if facts is not None else {"problem": "orgseg doctor gave no answer"}
        return Part("computer", "Computer (orgseg doctor)", "computer.json", self._json(told))

    def _json(self, facts: Mapping[str, Any]) -> str:
        return json.dumps(self.scrubber.facts(facts), indent=2, ensure_ascii=False) + "\n"

    def _settings(self) -> dict[str, Any]:
        content = json.loads(json.dumps(vars(self.settings), default=str))
        content.pop("_on_disk", None)
        content["window_state"] = sorted(self.settings.window_state)  # where windows are: no matter
        return dict(content)

    # -- the project -----------------------------------------------------------------------------

    def _project(self) -> dict[str, Any]:
        project = self.project
        assert project is not None
        images = list(project.images.values())
        return {
            "file_bytes": _size(self.path),
            "classes": len(project.classes),
            "images": len(images),
            "splits": dict(Counter(image.split for image in images)),
            "dtypes": dict(Counter(image.dtype for image in images)),
            "linked": sum(image.link is not None for image in images),
            "with_pixel_size": sum(image.pixel_size_um is not None for image in images),
            "runs": dict(Counter(f"{run.kind}, {run.state}" for run in self.runs)),
            "each": [self._image(image) for image in images[:IMAGES_LISTED]],
        }

    def _image(self, image: ProjectImage) -> str:
        what = self.scrubber.placeholder("image", image.name)
        kinds = [image.dtype, image.split]
        kinds += ["RGB"] if image.is_rgb else []
        kinds += ["linked"] if image.link is not None else []
        kinds += ["time series"] if image.time_series else []
        sizes = " x ".join(str(size) for size in image.shape)
        return f"{what}: {sizes} (C, Z, Y, X), {', '.join(kinds)}"

    def _runs(self) -> str:
        """States of the newest runs, and what the ones that failed said last."""
        lines = []
        for run in reversed(self.runs[-RUNS_KEPT:]):
            state, last = run.state, run.last_event() or {}
            recipe = run.recipe
            lines.append(f"run {run.name}: {run.kind}, {state}, by OrgSeg {_version(run)}")
            if recipe is not None:
                lines.append(f"  network: {recipe.network.name}")
            if state in ("failed", "lost", "stopped"):
                lines.append(f"  last event: {last.get('event')}: {last.get('message', '')}")
                lines.append("  end of its log:")
                lines += [f"    {line}" for line in _tail(run.log_path).splitlines()]
        return self.scrubber.text("\n".join(lines) + "\n")

    # -- logs ------------------------------------------------------------------------------------

    def _logs(self) -> str:
        texts = []
        for path in [*_newest("*.log", LOGS_KEPT), *logs.crash_traces()[:CRASHES_KEPT]]:
            texts.append(f"==== {path.name}\n{_head_and_tail(path)}")
        return self.scrubber.text("\n".join(texts) or "There is no log.\n")


def known_names(
    project: Project | None,
    project_path: Path | None,
    runs: Iterable[RunFolder],
    recent: Iterable[str],
) -> dict[str, list[str]]:
    """Every name a project has given to something, by kind."""
    kinds = ("image", "project", "class", "run", "channel", "note")
    found: dict[str, list[str]] = {kind: [] for kind in kinds}
    for path in (*([project_path] if project_path is not None else []), *map(Path, recent)):
        found["project"] += [path.stem, path.name]
    for run in runs:
        found["run"] += [run.name, run.path.name]
    if project is not None:
        found["project"].append(project.name)
        found["class"] += [one.name for one in (*project.classes, *project.removed_classes)]
        for image in project.images.values():
            link = image.link.name if image.link is not None else ""
            found["image"] += [image.name, image.source, link]
            found["channel"] += image.channel_names
            found["note"].append(image.note)
    return {kind: [name for name in names if name] for kind, names in found.items()}


def save(parts: Iterable[Part], path: Path) -> None:
    """Write a report in one step.

    Raises
    ------
    OSError
        When it cannot be written; what was there stays.
    """
    folder = f"orgseg-report-{datetime.now().astimezone():%Y%m%d-%H%M}"
    with (
        atomic.replacing(path) as draft,
        zipfile.ZipFile(draft, "w", zipfile.ZIP_DEFLATED) as archive,
    ):
        for part in parts:
            archive.writestr(f"{folder}/{part.file_name}", part.text)


def usual_name() -> str:
    """What a report's file is called."""
    return f"OrgSeg report {datetime.now().astimezone():%Y-%m-%d}.zip"


def _about() -> str:
    made = "installed application" if getattr(sys, "frozen", False) else "from source or pip"
    return (
        f"OrgSeg {__version__}, {made}\n"
        f"Python {platform.python_version()}, {platform.platform()}\n"
        f"{os.cpu_count()} processors\n"
        f"Language {os.environ.get('LANG', '')}, "
        f"time zone {time.strftime('%z')}\n"
        f"ORGSEG_HOME is {'set' if os.environ.get('ORGSEG_HOME') else 'not set'}\n"
        f"Written {datetime.now().astimezone():%Y-%m-%d %H:%M}\n"
    )


def _screen_variables() -> dict[str, str]:
    names = ("QT_QPA_PLATFORM", "QT_SCALE_FACTOR", "XDG_SESSION_TYPE", "XDG_CURRENT_DESKTOP")
    return {name: os.environ[name] for name in names if name in os.environ}


def _version(run: RunFolder) -> str:
    return str(run.request.get("app_version", "?"))


def _size(path: Path | None) -> int | None:
    try:
        return path.stat().st_size if path is not None else None
    except OSError:
        return None


def _newest(pattern: str, count: int) -> list[Path]:
    try:
        found = list(paths.log_dir().glob(pattern))
        return sorted(found, key=lambda path: path.stat().st_mtime, reverse=True)[:count]
    except OSError:
        return []


def _head_and_tail(path: Path) -> str:
    """The first and the last lines of a file: the reason of a failure is in either."""
    try:
        with path.open("rb") as stream:
            size = os.fstat(stream.fileno()).st_size
            if size <= HEAD_BYTES + TAIL_BYTES:
                return stream.read().decode("utf-8", "replace")
            head = stream.read(HEAD_BYTES).decode("utf-8", "replace")
            stream.seek(size - TAIL_BYTES)
            tail = stream.read().decode("utf-8", "replace")
    except OSError as error:
        return f"(could not be read: {atomic.reason(error)})\n"
    # Half a line may hold half a name.
    return head.rpartition("\n")[0] + "\n(…)\n" + tail.partition("\n")[2]


def _tail(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            size = os.fstat(stream.fileno()).st_size
            stream.seek(max(0, size - RUN_TAIL_BYTES))
            text = stream.read().decode("utf-8", "replace")
    except OSError:
        return ""
    return text.partition("\n")[2] if size > RUN_TAIL_BYTES else text
