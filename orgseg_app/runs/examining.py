"""Preparing and reading examinations of a finished run: what its network relies on, what it bears.

The job (`learn.examining`), of the kind ``"examine"``, predicts the held-out images once as they
are and once under each condition, and writes ``examined.json`` into its own folder, read back here
without torch; `runs.examination` says what is in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from orgseg_app.core.split import VALIDATION
from orgseg_app.runs.errors import RunError
from orgseg_app.runs.examination import (
    LEVELS,
    NOISE,
    SNR_DB,
    SPLITS,
    WHATS,
    Examination,
    examination_from,
)
from orgseg_app.runs.folder import MODEL_KINDS, RunFolder, runs_dir
from orgseg_app.runs.process import read_json
from orgseg_app.runs.recipes.networks import NETWORK_NAMES
from orgseg_app.runs.training import (
    class_facts,
    image_facts_of,
    model_path,
    painted_voxels,
    set_aside,
)
from orgseg_app.runs.withheld import image_facts, is_banded, seen_by

if TYPE_CHECKING:
    from orgseg_app.files.project_file import ProjectFile

KIND = "examine"
FILE = "examined.json"


def prepare_examination(
    project_file: ProjectFile,
    run: RunFolder,
    what: str,
    *,
    split: str = VALIDATION,
    snr_db: Sequence[float] = SNR_DB,
    seed: int = 0,
) -> RunFolder:
    """Freeze an examination of a run's model into a new run folder.

    It looks at the images that the run itself held out, as they were; where the run does not have
    them any more, or has no test images, at those painted today.

    Parameters
    ----------
    project_file : ProjectFile
    run : RunFolder
        With a model.
    what : str
        One of `WHATS`.
    split : str
        ``"validation"`` (choices are made on these) or ``"test"``.
    snr_db : sequence of float
        Of noise: signal-to-noise ratios in decibels.
    seed : int
        Of noise.

    Returns
    -------
    RunFolder
        Not started.

    Raises
    ------
    RunError
        With a sentence: no model, no images, or a network that has no levels to look at.
    """
    _check(run, what, split, snr_db)
    own = run.snapshot_path.is_file() and _had(run, split)
    painted = list(painted_voxels(project_file))
    project = project_file.project
    wanted = [i for i in painted if project.images[i].split == split]
    if not own and (not wanted or is_banded(run)):
        if is_banded(run):
            raise RunError(
                f'"{run.name}" was judged on a part of one image, and the copy of that image it '
                "learned from is gone. Examine another run, or train it again."
            )
        raise RunError(
            f"No painted image is in the {split} split, so there is nothing to examine "
            f'"{run.name}" on. Move one there (or paint one), or choose the other split.'
        )
    listed = image_facts(run) if own else image_facts_of(project_file, wanted)
    seen = frozenset() if own else seen_by(run, run, split)
    examination = RunFolder.create(
        runs_dir(project_file.path),
        name=f"{WHATS[what].lower()} of {run.name}",
        kind=KIND,
        recipe=run.recipe,
        project_uuid=project.uuid,
        extra={
            "model": str(model_path(run)),
            "examined_run": run.run_id,
            "what": what,
            "on": split,
            "snr_db": [float(snr) for snr in snr_db] if what == NOISE else [],
            "seed": int(seed),
            "snapshot": str(run.snapshot_path.absolute()) if own else "",
            "examined_path": str(run.path.absolute()),
            "split": run.request.get("split") if own else None,
            "seen": sorted(seen),
            "classes": class_facts(project_file),
            "images": listed,
        },
    )
    if not own:
        set_aside(examination, project_file, painted)
    return examination


def _check(run: RunFolder, what: str, split: str, snr_db: Sequence[float]) -> None:
    if what not in WHATS:
        raise RunError(f"What is examined is {' or '.join(WHATS)}, not {what!r}.")
    if split not in SPLITS:
        raise RunError(f"A model is examined on {' or '.join(SPLITS)} images, not on {split!r}.")
    if run.kind not in MODEL_KINDS:
        raise RunError(f'"{run.name}" has no model to examine. Choose a run that was trained here.')
    if run.is_active:
        raise RunError(f'"{run.name}" is still at work. Wait for its end, or stop it first.')
    model_path(run)
    if what == NOISE and not (snr_db and all(-60 <= float(snr) <= 120 for snr in snr_db)):
        raise RunError("Signal-to-noise ratios lie between -60 and 120 dB; name at least one.")
    if what == LEVELS and run.kind != "train":
        raise RunError(
            f'"{run.name}" is an ensemble; levels are those of one network. Examine one of its '
            "members instead."
        )
    recipe = run.recipe
    info = NETWORK_NAMES.get(recipe.network.name) if recipe is not None else None
    if what == LEVELS and info is not None and info.is_fitted:
        raise RunError(f'"{run.name}" is no network with levels ({info.title}).')


def _had(run: RunFolder, split: str) -> bool:
    """Whether a run had images of a split; without validation images it held strips out itself."""
    if split == VALIDATION or is_banded(run):
        return True
    return any(entry.get("split") == split for entry in image_facts(run))


def read_examination(job: RunFolder) -> Examination | None:
    """What an examination found out; None while it has not, or where its file is damaged."""
    if job.kind != KIND:
        return None
    return examination_from(read_json(job.path / FILE), job.created)


def examinations_of(jobs: Iterable[RunFolder], run_id: str) -> dict[str, Examination]:
    """The newest examination of a run, by what was examined and on which images.

    Parameters
    ----------
    jobs : iterable of RunFolder
        Of every kind, oldest first, as `runs.folder.list_runs` gives them.
    run_id : str
        Of the run that was examined.

    Returns
    -------
    dict
        ``"levels validation"`` → examination; `WHATS` and `SPLITS` in their order.
    """
    newest: dict[str, Examination] = {}
    for job in jobs:
        if job.kind != KIND or job.request.get("examined_run") != run_id:
            continue
        found = read_examination(job)
        if found is not None:
            newest[f"{found.what} {found.split}"] = found
    order = [f"{what} {split}" for what in WHATS for split in SPLITS]
    return {key: newest[key] for key in order if key in newest}
