"""k-fold: the same training several times, each time with another part held out.

The parts are whole images; with only one painted image, bands of it. Test images are never among
them: they are for whoever comes out best.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from orgseg_app.core.split import TEST, TRAIN, VALIDATION, assign_folds
from orgseg_app.runs.errors import RunError
from orgseg_app.runs.folder import RunFolder
from orgseg_app.runs.recipes.reading import check_recipe
from orgseg_app.runs.recipes.schema import Recipe
from orgseg_app.runs.training import check_training, new_training, painted_voxels

if TYPE_CHECKING:
    from orgseg_app.core.project import ProjectImage
    from orgseg_app.files.project_file import ProjectFile

MOST_FOLDS = 20


def check_folds(
    project_file: ProjectFile, folds: int, painted: dict[str, dict[int, int]]
) -> list[str]:
    """Whether the project can be trained on in so many folds.

    Parameters
    ----------
    project_file : ProjectFile
    folds : int
    painted : dict
        Voxels of each class id, for every image where something is painted.

    Returns
    -------
    list of str
        Warnings, as of `check_training`, where they matter for folds.

    Raises
    ------
    RunError
        With a sentence, when there are fewer images than folds, or something is missing.
    """
    if not 2 <= folds <= MOST_FOLDS:
        raise RunError(f"Choose 2 to {MOST_FOLDS} folds, not {folds}.")
    warnings = check_training(project_file, painted)
    images = _to_part(project_file, painted)
    different = len({image.sha256 for image in images})
    if len(images) > 1 and different < folds:
        raise RunError(
            f"{folds} folds need {folds} painted images in the training and validation splits; "
            f"there are {different}. Choose fewer folds, or paint more images."
        )
    return [w for w in warnings if TEST not in w and VALIDATION not in w]


def _to_part(project_file: ProjectFile, painted: Collection[str]) -> list[ProjectImage]:
    """The images that are parted into folds."""
    return [
        image
        for image_id, image in project_file.project.images.items()
        if image_id in painted and image.split in (TRAIN, VALIDATION)
    ]


def prepare_folds(
    project_file: ProjectFile, recipe: Recipe, folds: int, name: str | None = None
) -> list[RunFolder]:
    """Check a training and make one run folder a fold.

    Parameters
    ----------
    project_file : ProjectFile
        Its painted training and validation images are parted anew.
    recipe : Recipe
        The same for all folds.
    folds : int
        2 to `MOST_FOLDS`.
    name : str, optional
        The folds are called ``"name fold 1 of 5"``; the recipe's name without one.

    Returns
    -------
    list of RunFolder
        Not started.

    Raises
    ------
    RunError
        With a sentence, when there are fewer images than folds, or something is missing.
    """
    check_recipe(recipe)
    painted = painted_voxels(project_file)
    warnings = check_folds(project_file, folds, painted)
    image_ids, splits = parted(project_file, folds, painted)
    return [
        new_training(
            project_file,
            recipe,
            f"{name or recipe.name} fold {fold + 1} of {folds}",
            image_ids=image_ids,
            warnings=warnings,
            extra={"split": split},
        )
        for fold, split in enumerate(splits)
    ]


def parted(
    project_file: ProjectFile, folds: int, painted: Collection[str]
) -> tuple[list[str], list[dict[str, Any]]]:
    """What is parted into folds that were checked, and what each of them holds out.

    Returns
    -------
    image_ids : list of str
        Of all images that learn or choose, the same in every fold.
    splits : list of dict
        The field ``split`` of the request of each fold.
    """
    images = _to_part(project_file, painted)
    image_ids = [image.image_id for image in images]
    if len(images) == 1:
        return image_ids, [{"fold": fold, "of": folds} for fold in range(folds)]
    # Copies of one image stay together: else one would be judged by what it taught.
    fold_of = assign_folds([image.sha256 for image in images], folds)
    held = [[i.image_id for i in images if fold_of[i.sha256] == fold] for fold in range(folds)]
    return image_ids, [{"validation": ids} for ids in held]
