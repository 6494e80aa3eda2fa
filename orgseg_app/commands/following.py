"""Watching from the command line what a process does: the job of a run, the driver of a study."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from orgseg_app.commands.console import Progress, duration, out_json, score
from orgseg_app.runs.errors import RunError
from orgseg_app.runs.events import LAST_EVENTS
from orgseg_app.runs.folder import RunFolder
from orgseg_app.runs.job_folder import STOP, JobFolder

_POLL_S = 0.15
_LOOK_S = 1.0


def follow(
    run: RunFolder,
    *,
    title: str,
    json: bool = False,
    on_event: Callable[[dict[str, Any]], None] | None = None,
) -> dict[str, Any]:
    """Show what a started job does until its last event; Ctrl+C asks it to stop.

    Parameters
    ----------
    run : RunFolder
    title : str
        Beside the bar.
    json : bool
        Print the events as they are, one a line.
    on_event : callable, optional
        Sees every event.

    Returns
    -------
    dict
        The last event. Of a job that ended without one, a ``"failed"`` event that says so.
    """

    def show(progress: Progress, event: dict[str, Any]) -> None:
        if on_event is not None:
            on_event(event)
        _show(progress, event)

    return watch(run, Progress(title, quiet=json), show, lambda: _lost(run), json=json)


def watch(
    folder: JobFolder,
    progress: Progress,
    show: Callable[[Progress, dict[str, Any]], None],
    lost: Callable[[], dict[str, Any]],
    *,
    json: bool,
    offset: int = 0,
) -> dict[str, Any]:
    """Follow what a process writes into its folder, until its last event; Ctrl+C asks it to stop.

    Parameters
    ----------
    folder : JobFolder
        Of a run or a study.
    progress : Progress
        The bar; taken away at the end.
    show : callable
        Sees the bar and every event.
    lost : callable
        Makes the last event of a process that ended without one.
    json : bool
        Print the events as they are, one a line.
    offset : int
        In bytes: what was written before is over.

    Returns
    -------
    dict
        The last event.

    Raises
    ------
    KeyboardInterrupt
        At the second Ctrl+C; the process goes on to its end by itself.
    """
    looked, asked_to_stop = time.monotonic(), False
    while True:
        try:
            found, offset = folder.events(offset)
            for event in found:
                if json:
                    out_json(event)
                show(progress, event)
                if event["event"] in LAST_EVENTS:
                    progress.clear()
                    return event
            if time.monotonic() - looked > _LOOK_S:
                looked = time.monotonic()
                if folder.state == "lost" and not folder.events(offset)[0]:
                    event = lost()
                    progress.clear()
                    if json:
                        out_json(event)
                    return event
            time.sleep(_POLL_S)
        except KeyboardInterrupt:
            if asked_to_stop:
                progress.clear()
                raise
            asked_to_stop = True
            try:
                folder.ask(STOP)
                progress.say("Stopping; what was learnt so far is kept. Ctrl+C again: do not wait.")
            except RunError:
                continue  # it has just ended by itself


def _lost(run: RunFolder) -> dict[str, Any]:
    if not run.exists:
        message = f'The folder of "{run.name}" was removed while it worked. The project is safe.'
    else:
        message = (
            f'The process of "{run.name}" ended without a word (killed, or out of memory). What it '
            f"saved is safe; the log is {run.log_path}."
        )
    return {"event": "failed", "run": run.run_id, "message": message, "test": None}


def _show(progress: Progress, event: dict[str, Any]) -> None:
    kind = event["event"]
    if kind == "started":
        images = event.get("images") or {}
        counts = ", ".join(f"{count} {split}" for split, count in images.items() if count)
        size = f", {event['parameters']:,} weights" if event.get("parameters") else ""
        progress.say(f"{event.get('device', '')}{size}; images: {counts or '–'}")
    elif kind == "step":
        left, loss = event.get("seconds_left"), event.get("loss")
        text = f"step {event['step']}"
        text += f"  loss {loss:.3f}" if loss is not None else ""
        text += f"  {duration(left)} left" if left is not None else ""
        progress.show_time(left or 0.0, text)
    elif kind == "validation":
        best = "  (best)" if event.get("best") else ""
        mean = score(event.get("mean_iou"))
        progress.say(f"step {event['step']}: validation IoU {mean}{best}")
    elif kind == "progress":
        done = event.get("done", 0) + event.get("part", 0)
        progress.show(done, event.get("total", 0), str(event.get("item", "")))
    elif kind == "message":
        progress.say(str(event.get("text", "")))
    elif kind == "state" and not event.get("starting"):
        waits = {
            "queued": "Another job is computing; this one waits for its turn.",
            "paused": "Paused; go on with: orgseg resume",
        }
        if event.get("state") in waits:
            progress.say(waits[event["state"]])
