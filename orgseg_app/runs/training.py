"""Preparing jobs: check what is asked, freeze what it needs into a run folder, start nothing.

Everything that can be known beforehand is said here, in sentences, before a folder is made.
"""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from orgseg_app.core.split import TEST, TRAIN, VALIDATION
from orgseg_app.files.atomic import replacing
from orgseg_app.runs.errors import RunError
from orgseg_app.runs.folder import ELSEWHERE_KINDS, RunFolder, list_runs, runs_dir
from orgseg_app.runs.model_file import read_model_facts
from orgseg_app.runs.recipes.networks import NETWORK_NAMES
from orgseg_app.runs.recipes.reading import check_recipe, recipe_from_builtins
from orgseg_app.runs.recipes.schema import Recipe

if TYPE_CHECKING:
    from orgseg_app.core.project import ProjectImage
    from orgseg_app.core.weighting.mistakes import CorrectionSettings
    from orgseg_app.files.project_file import ProjectFile


def painted_voxels(project_file: ProjectFile) -> dict[str, dict[int, int]]:
    """Voxels of each class id, for every image where something is painted."""
    found: dict[str, dict[int, int]] = {}
    for image_id in project_file.project.images:
        counts = project_file.counts(image_id)
        if counts:
            found[image_id] = counts
    return found


def quoted(names: Iterable[str], limit: int = 4) -> str:
    """Some names for a sentence, the rest as a number."""
    listed = [f'"{name}"' for name in names]
    rest = len(listed) - limit
    return ", ".join(listed[:limit]) + (f" and {rest} more" if rest > 0 else "")


def check_training(
    project_file: ProjectFile, painted: dict[str, dict[int, int]] | None = None
) -> list[str]:
    """Whether the project can be trained on.

    Parameters
    ----------
    project_file : ProjectFile
    painted : dict, optional
        Voxels of each class id for every image where something is painted, where the caller has
        counted them already.

    Returns
    -------
    list of str
        Warnings: sentences a person should read, though training is possible.

    Raises
    ------
    RunError
        With a sentence that says what is missing.
    """
    return _check_training(
        project_file, painted_voxels(project_file) if painted is None else painted
    )


def _check_training(project_file: ProjectFile, painted: dict[str, dict[int, int]]) -> list[str]:
    project = project_file.project
    if not project.images:
        raise RunError(
            "The project has no images yet. Import some, paint at least two classes, train."
        )
    if not painted:
        raise RunError(
            "Nothing is painted yet, so there is nothing to learn from. Paint at least two classes "
            "(background counts as one), or import masks, then train."
        )
    by_split: dict[str, list[ProjectImage]] = {TRAIN: [], VALIDATION: [], TEST: []}
    for image_id in painted:
        image = project.images[image_id]
        by_split.setdefault(image.split, []).append(image)
    if not by_split[TRAIN]:
        raise RunError(
            f"{quoted(project.images[i].name for i in painted)} "
            f"{'is' if len(painted) == 1 else 'are'} painted, but no painted image is in the "
            "training split. Move one there, then train."
        )
    names = {info.class_id: info.name for info in project.classes}
    learnt = set().union(*(painted[image.image_id] for image in by_split[TRAIN])) & set(names)
    if len(learnt) < 2:
        only = quoted(names[class_id] for class_id in learnt)
        raise RunError(
            f"Only one class is painted in the training images: {only}. The network needs at "
            "least two to tell apart; paint some background (or another class) too, then train."
        )
    channels = {image.shape[0] for group in by_split.values() for image in group}
    if len(channels) > 1:
        raise RunError(
            "The painted images have different numbers of channels "
            f"({', '.join(map(str, sorted(channels)))}), and a network takes one number only. "
            "Keep images of one kind in a project, or remove the odd ones."
        )
    warnings: list[str] = []
    if not by_split[TEST]:
        warnings.append(
            "No painted image is in the test split, so the run cannot be compared on images it "
            "has not seen. Paint one more image and move it to test."
        )
    if not by_split[VALIDATION]:
        warnings.append(
            "No painted image is in the validation split; a strip of the training paint is held "
            "out instead to choose the best state."
        )
    if missing := [names[i] for i in sorted(set(names) - learnt)]:
        warnings.append(
            f"{quoted(missing)} {'is' if len(missing) == 1 else 'are'} not painted in any "
            "training image and will not be learnt."
        )
    return warnings


def prepare_training(
    project_file: ProjectFile,
    recipe: Recipe,
    name: str | None = None,
    *,
    start_from: RunFolder | Path | None = None,
    blocks: bool = False,
    corrections: CorrectionSettings | None = None,
    preview_images: Sequence[str] = (),
    extra: Mapping[str, Any] | None = None,
) -> RunFolder:
    """Check a training and freeze its recipe and its images into a new run folder.

    Parameters
    ----------
    project_file : ProjectFile
        What is painted now counts, saved or not.
    recipe : Recipe
    name : str, optional
        As shown; without one, the name of the recipe, numbered when it is taken.
    start_from : RunFolder or Path, optional
        A run (its best state counts) or a model file whose weights are the beginning. They are
        copied into the run folder, and the network is that of the model.
    blocks : bool
        Part the only painted image into bands that learn, choose and judge, with gaps between.
    corrections : CorrectionSettings, optional
        Let voxels count more where the model it begins with is wrong by today's masks.
    preview_images : sequence of str
        Ids of images without paint that somebody wants to watch (`runs.previews`); they are set
        aside as well, and nothing is learned from them.
    extra : mapping, optional
        More fields of the request.

    Returns
    -------
    RunFolder
        Not started; `RunFolder.warnings` holds what a person should read.

    Raises
    ------
    RunError
        With a sentence, when the project cannot be trained on or the disk refuses.
    """
    check_recipe(recipe)
    painted = painted_voxels(project_file)
    warnings = _check_training(project_file, painted)
    fields: dict[str, Any] = dict(extra or {})
    if start_from is not None:
        recipe, start, sentences = _started(recipe, start_from)
        warnings += sentences
    if corrections is not None:
        if start_from is None:
            raise RunError(
                "Only a run that goes on from a model can learn from corrections. Choose the model "
                "whose masks were corrected."
            )
        fields["corrections"] = corrections.to_dict()
        if recipe.class_weights == "manual":
            warnings.append(
                "Learning from corrections balances the classes by itself; the recipe's weights of "
                "classes count on top of that."
            )
    if blocks:
        if len(painted) != 1:
            raise RunError(
                f"Blocks part one painted image, but {len(painted)} images are painted. Give them "
                "splits instead: some for training, one for validation, one for test."
            )
        fields["split"] = {"blocks": True}
        warnings = [w for w in warnings if "split" not in w]
    run = new_training(
        project_file,
        recipe,
        name or free_name(project_file.path, recipe.name),
        image_ids=list(painted),
        warnings=warnings,
        more_images=[i for i in preview_images if i in project_file.project.images],
        extra=fields,
    )
    if start_from is not None:
        _copy_start(run, start)
    return run


def new_training(
    project_file: ProjectFile,
    recipe: Recipe,
    name: str,
    *,
    image_ids: Sequence[str],
    warnings: Sequence[str] = (),
    more_images: Sequence[str] = (),
    extra: dict[str, Any] | None = None,
) -> RunFolder:
    """The folder of a training that was checked, with its snapshot.

    Parameters
    ----------
    project_file, recipe, name
        As in `prepare_training`.
    image_ids, more_images
        Painted images, and others to watch.
    warnings
        Sentences for the person who trains.
    extra
        More fields of the request.

    Raises
    ------
    RunError
        When the disk refuses, or the network's optional library is not installed.
    """
    if not (network := NETWORK_NAMES[recipe.network.name]).is_installed:
        raise RunError(
            f'The optional library for "{network.title}" is not installed. Install it (pip install '
            f"orgseg[{network.name}]), or choose another network. Nothing was started."
        )
    run = RunFolder.create(
        runs_dir(project_file.path),
        name=name,
        kind="train",
        recipe=recipe,
        project_uuid=project_file.project.uuid,
        extra={
            "warnings": list(warnings),
            "classes": class_facts(project_file),
            "images": image_facts_of(project_file, image_ids),
            **(extra or {}),
        },
    )
    set_aside(run, project_file, list(dict.fromkeys([*image_ids, *more_images])))
    return run


def _started(recipe: Recipe, start_from: RunFolder | Path) -> tuple[Recipe, Path, list[str]]:
    """The recipe with the network of a model, the model's file, and what to say about it."""
    path = model_path(start_from)
    found = recipe_from_builtins(read_model_facts(path)["recipe"])
    if NETWORK_NAMES[found.network.name].is_fitted:
        raise RunError(
            f'The model "{path.name}" was fitted at once, so there is nothing to go on from. '
            "Choose a model that was trained in steps."
        )
    warnings = []
    if found.network != recipe.network:
        warnings.append(
            f'The network is that of the model "{found.name}", whose weights are the beginning.'
        )
    # What a step has learnt of the earlier images is learnt anew of these.
    asked = [(step.name, step.params) for step in recipe.preprocess]
    if asked != [(step.name, step.params) for step in found.preprocess]:
        warnings.append(
            "Images are prepared otherwise than for the model it starts from; it may need a "
            "while to get used to that."
        )
    return msgspec.structs.replace(recipe, network=found.network), path, warnings


def _copy_start(run: RunFolder, start: Path) -> None:
    try:
        with replacing(run.start_path) as draft:
            shutil.copyfile(start, draft)
    except OSError as error:
        shutil.rmtree(run.path, ignore_errors=True)
        raise RunError(
            f'The model "{start.name}" could not be copied: {error.strerror}. Nothing was changed.'
        ) from error


def prepare_scoring(run: RunFolder, project_file: ProjectFile) -> RunFolder:
    """Freeze today's annotated validation and test images, to score a run's best model on them.

    Needed when test images were added or painted anew after the training. The painted training
    images are set aside as well: a test image that shows the same place as one of them gets no
    score.

    Raises
    ------
    RunError
        When there is no test image or the run has no model.
    """
    project = project_file.project
    painted = painted_voxels(project_file)
    wanted = [i for i in painted if project.images[i].split in (VALIDATION, TEST)]
    if not any(project.images[i].split == TEST for i in wanted):
        raise RunError(
            "No painted image is in the test split. Move one there (or paint one), then compare."
        )
    scoring = RunFolder.create(
        runs_dir(project_file.path),
        name=f"scores of {run.name}",
        kind="score",
        recipe=run.recipe,
        project_uuid=project.uuid,
        extra={
            "model": str(model_path(run)),
            "scored_run": run.run_id,
            "classes": class_facts(project_file),
            "images": image_facts_of(project_file, wanted),
        },
    )
    set_aside(scoring, project_file, list(painted))
    return scoring


def model_path(model: RunFolder | Path) -> Path:
    """The file of a run's best state, or a model file, from anywhere.

    Raises
    ------
    RunError
        When it is not there.
    """
    if isinstance(model, RunFolder):
        if model.kind in ELSEWHERE_KINDS:
            raise RunError(
                f'"{model.name}" was made elsewhere: OrgSeg has its masks, and no model to predict '
                "with. Choose a run that was trained here."
            )
        if not model.best_path.is_file():
            raise RunError(
                f'The run "{model.name}" has no model yet (it is {model.state}). '
                "Wait for its first check, or choose another run."
            )
        return model.best_path.absolute()
    if not model.is_file():
        raise RunError(f'There is no model file "{model}".')
    return model.absolute()


def free_name(project_path: Path, name: str) -> str:
    """The name itself, or with the lowest number that no run of the project has yet."""
    taken = {run.name for run in list_runs(project_path)}
    numbered = (f"{name} {number}" for number in itertools.count(2))
    return next(text for text in itertools.chain([name], numbered) if text not in taken)


def class_facts(project_file: ProjectFile) -> list[dict[str, Any]]:
    """The project's classes, for a request."""
    return [
        {"id": info.class_id, "name": info.name, "colour": info.colour}
        for info in project_file.project.classes
    ]


def image_facts_of(project_file: ProjectFile, image_ids: Sequence[str]) -> list[dict[str, Any]]:
    """Images of the project as they are now, for a request: ids, splits, fingerprints, shapes."""
    images = (project_file.project.images[image_id] for image_id in image_ids)
    return [
        {
            "id": image.image_id,
            "name": image.name,
            "split": image.split,
            "sha256": image.sha256,
            "mask_sha256": project_file.mask_sha256(image.image_id),
            "objects_sha256": project_file.objects_sha256(image.image_id),
            "shape": list(image.shape),
        }
        for image in images
    ]


def set_aside(run: RunFolder, project_file: ProjectFile, image_ids: Sequence[str]) -> None:
    """Write the snapshot of a run; without it the run's folder is taken away again.

    Raises
    ------
    RunError
        With a sentence, when an image cannot be read or the disk refuses.
    """
    from orgseg_app.files.errors import FileError
    from orgseg_app.files.snapshot import write_snapshot

    write: Callable[..., None] = write_snapshot
    try:
        write(project_file, run.snapshot_path, image_ids)
    except (OSError, FileError) as error:
        shutil.rmtree(run.path, ignore_errors=True)
        reason = (isinstance(error, OSError) and error.strerror) or str(error)
        raise RunError(
            f"The images for the job could not be set aside: {reason} The project is untouched."
        ) from error
    except BaseException:
        shutil.rmtree(run.path, ignore_errors=True)
        raise
