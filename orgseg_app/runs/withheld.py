"""What must not be believed of a run's scores: images it has seen, and scores its job refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from orgseg_app.core.split import TEST, TRAIN, VALIDATION
from orgseg_app.runs.folder import ELSEWHERE_KINDS, RunFolder


def is_banded(run: RunFolder) -> bool:
    """Whether a run learned from bands of one image, and was judged on another band of it."""
    asked = run.request.get("split")
    return isinstance(asked, dict) and ("blocks" in asked or "fold" in asked)


def seen_by(run: RunFolder, source: RunFolder, split: str) -> frozenset[str]:
    """Fingerprints of the images whose scores on a split would flatter a run.

    Parameters
    ----------
    run : RunFolder
    source : RunFolder
        Whose scores they are: the run itself, or a scoring job.
    split : str
        With ``"test"``, images the run learned from or was selected on; with ``"validation"``,
        those it learned from.
    """
    if run.kind in ELSEWHERE_KINDS:
        return frozenset()  # nobody knows; `runs.made_elsewhere` says so
    if source is run and is_banded(run):
        return frozenset()  # judged on a band of its own, as far apart as the network sees
    asked = run.request.get("split")
    held = asked.get("validation") if isinstance(asked, dict) else None
    selected = {TRAIN} if split == VALIDATION else {TRAIN, VALIDATION} if split == TEST else set()
    facts = image_facts(run)
    if not isinstance(held, list):
        hashes = (entry.get("sha256") for entry in facts if entry.get("split") in selected)
        return frozenset(str(sha256) for sha256 in hashes if sha256)
    found = set()
    for entry in facts:
        own = VALIDATION if entry.get("id") in held else TRAIN  # a fold parts them anew
        if own in selected and entry.get("sha256"):
            found.add(str(entry["sha256"]))
    return frozenset(found)


def refused_in(metrics: Mapping[str, Any] | None, split: str) -> dict[str, str]:
    """Image id → the sentence why a job gave the image no score on a split; from metrics.json."""
    listed = metrics.get("refused") if metrics is not None else None
    return {
        str(item["image_id"]): item["reason"]
        for item in (listed if isinstance(listed, list) else [])
        if isinstance(item, dict)
        and item.get("split") == split
        and isinstance(item.get("reason"), str)
        and item.get("image_id")
    }


def image_facts(run: RunFolder) -> list[dict[str, Any]]:
    """The images of a run's request: id, name, split, fingerprints."""
    found = run.request.get("images")
    return [e for e in found if isinstance(e, dict)] if isinstance(found, list) else []
