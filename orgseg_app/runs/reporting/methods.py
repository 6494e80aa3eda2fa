"""The methods paragraph: what was done, in sentences that can go into a paper, with sources.

Only what the runs and the project say is told; what differs between runs is told of each.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from orgseg_app import __version__
from orgseg_app.core.metrics.statistics import FEWEST_IMAGES
from orgseg_app.core.split import TEST, TRAIN, VALIDATION
from orgseg_app.runs.ensembles import KIND
from orgseg_app.runs.folder import RunFolder
from orgseg_app.runs.recipes.choice import Choice
from orgseg_app.runs.recipes.choices import PREPROCESSING_NAMES
from orgseg_app.runs.recipes.losses import LOSS_NAMES
from orgseg_app.runs.recipes.networks import NETWORK_NAMES
from orgseg_app.runs.recipes.objects import OBJECT_NAMES
from orgseg_app.runs.recipes.optimisation import (
    OPTIMISER_NAMES,
    SCHEDULE_NAMES,
)
from orgseg_app.runs.recipes.schema import Recipe
from orgseg_app.runs.reporting.model_card import class_names, device_of, started_of, versions_of
from orgseg_app.runs.reporting.recipe_sentences import (
    network_sentence,
    preprocessing_sentence,
    training_sentences,
)
from orgseg_app.runs.reporting.score_facts import SCORES, is_on_page
from orgseg_app.runs.reporting.sentences import counted, listed, ranged
from orgseg_app.runs.withheld import image_facts, is_banded

if TYPE_CHECKING:
    from orgseg_app.files.project_file import ProjectFile

_FINE = ("_bias", "_small", "_middle", "_large")
"""Scores that tell others apart; they are in the tables."""

_STATISTICS = (
    "Interval of a mean difference: symmetric bootstrap-t, 9,999 samples of the images; Hall, "
    "J. R. Statist. Soc. B 50 (1988)",
    "Signed-rank test, two-sided, exact up to 200 images: Wilcoxon, Biometrics Bulletin 1 (1945)",
    "Correction for the number of pairs: Holm, Scand. J. Statist. 6 (1979)",
    "Effect sizes: Cohen, Statistical Power Analysis (1988), d_z; Kerby, Compr. Psychol. 3 (2014)",
)


@dataclass(frozen=True)
class Methods:
    """What was done.

    Attributes
    ----------
    paragraphs : tuple of (str, str)
        A word for the part, and its sentences.
    sources : tuple of str
        Who described what was used, each once.
    """

    paragraphs: tuple[tuple[str, str], ...]
    sources: tuple[str, ...]

    @property
    def text(self) -> str:
        """All of it as plain text."""
        parts = [f"{title}. {words}" for title, words in self.paragraphs]
        listed = "\n".join(f"{number}. {source}" for number, source in enumerate(self.sources, 1))
        return "\n\n".join([*parts, f"Sources.\n{listed}"]) + "\n"

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {"paragraphs": dict(self.paragraphs), "sources": list(self.sources)}


def methods_of(
    runs: Sequence[RunFolder],
    *,
    project_file: ProjectFile | None = None,
    images: Sequence[str] = (),
    split: str = TEST,
    used_scores: Iterable[str] = ("iou", "dice"),
    has_pairs: bool = True,
    names_runs: bool = True,
) -> Methods:
    """Describe how runs were made and compared.

    Parameters
    ----------
    runs
        Those of the report.
    project_file
        Tells sizes and pixel sizes; without it, what the runs noted counts.
    images
        Names of the images that scores are over.
    split
        Of these images.
    used_scores
        Names of the scores in the report.
    has_pairs
        Whether pairs of runs were tested.
    names_runs
        Whether runs that differ are named, or only counted.
    """
    trained = [
        (run.name, recipe)
        for run in runs
        if run.kind != KIND and (recipe := run.recipe) is not None
    ]
    if not names_runs:
        trained = [("", recipe) for _, recipe in trained]
    paragraphs = [
        ("Images", _of_images(runs, project_file)),
        ("Split", _of_split(runs, images, split)),
    ]
    if trained:
        paragraphs += [
            ("Preprocessing", preprocessing_sentence(trained)),
            ("Networks", network_sentence(trained)),
            ("Training", training_sentences(trained)),
        ]
    if ensembles := [run.name for run in runs if run.kind == KIND]:
        words = f"{listed(ensembles)} {'is' if len(ensembles) == 1 else 'are'} made of several "
        paragraphs.append(
            ("Ensembles", words + "of these models, whose number was chosen on validation images.")
        )
    paragraphs.append(("Scores", _of_scores(used_scores)))
    if has_pairs:
        paragraphs.append(("Statistics", _of_statistics()))
    paragraphs.append(("Software", _of_software(runs)))
    sources = [*_recipe_sources(recipe for _, recipe in trained), *_score_sources(used_scores)]
    sources += _STATISTICS if has_pairs else ()
    whole = tuple((title, words) for title, words in paragraphs if words)
    return Methods(whole, tuple(dict.fromkeys(sources)))


# -- data ------------------------------------------------------------------------------------------


def _of_images(runs: Sequence[RunFolder], project_file: ProjectFile | None) -> str:
    given = {str(fact.get("sha256")): fact for run in runs for fact in image_facts(run)}
    classes = list(dict.fromkeys(name for run in runs for name in class_names(run)))
    shapes = [fact["shape"] for fact in given.values() if _is_shape(fact.get("shape"))]
    sizes: list[str] = []
    if project_file is not None:
        known = [image for image in project_file.project.images.values() if image.sha256 in given]
        shapes = [list(image.shape) for image in known] or shapes
        sizes = list(
            dict.fromkeys(
                " × ".join(f"{side:g}" for side in _in_plane(image.pixel_size_um, image.shape[1]))
                for image in known
                if image.pixel_size_um is not None
            )
        )
    text = f"{counted(len(given), 'image was', 'images were')} used"
    if shapes:
        text += f", {_sizes(shapes)}"
    if len(sizes) == 1:
        text += f", with a pixel size of {sizes[0]} µm"
    elif sizes:
        text += f", with {len(sizes)} pixel sizes from {sizes[0]} µm to {sizes[-1]} µm"
    elif project_file is not None:
        text += "; their pixel size is not known"
    if classes:
        text += (
            f". Marked by hand, or imported, were {listed([*classes, 'background'])}; voxels that "
            "nobody marked were neither learned from nor scored"
        )
    return text + "."


def _is_shape(value: object) -> bool:
    return isinstance(value, list) and len(value) == 4 and all(isinstance(n, int) for n in value)


def _in_plane(size: tuple[float, float, float], depth: int) -> tuple[float, ...]:
    return size if depth > 1 else size[1:]


def _sizes(shapes: Sequence[Sequence[int]]) -> str:
    """Of ``(C, Z, Y, X)``."""
    words = list(
        dict.fromkeys(
            " × ".join(str(n) for n in (shape[2:] if shape[1] == 1 else shape[1:]))
            for shape in shapes
        )
    )
    channels = sorted({shape[0] for shape in shapes})
    of = f" in {counted(channels[0], 'channel', 'channels')}" if len(channels) == 1 else ""
    if len(words) == 1:
        return f"{words[0]} voxels{of}"
    voxels = [shape[1] * shape[2] * shape[3] for shape in shapes]
    return f"of {len(words)} sizes, {min(voxels):,} to {max(voxels):,} voxels{of}"


def _of_split(runs: Sequence[RunFolder], images: Sequence[str], split: str) -> str:
    counts = {
        tuple(
            sum(fact.get("split") == part for fact in image_facts(run))
            for part in (TRAIN, VALIDATION, TEST)
        )
        for run in runs
        if image_facts(run)
    }
    text = "Images were parted whole, never patches of one image"
    if any(is_banded(run) for run in runs):
        text = "Some runs parted images into blocks with gaps wider than what the network sees"
    if counts:
        train, validation, test = (ranged(part) for part in zip(*counts, strict=True))
        text += (
            f": {train} to learn from, {validation} to choose the best state of each training "
            f"(validation), and {test} kept away (test)"
        )
    text += "."
    if images:
        text += f" Scores are over {counted(len(images), f'{split} image', f'{split} images')} "
        text += "that all ranked runs share." if len(runs) > 1 else "together."
    return text + (
        " Images are known by their SHA-256: a run that had seen an image while learning is marked "
        "and not ranked."
    )


# -- scores ----------------------------------------------------------------------------------------


def _of_scores(used: Iterable[str]) -> str:
    sections: dict[str, list[str]] = {}
    for name in used:
        if name in SCORES and is_on_page(name) and not name.endswith(_FINE):
            sections.setdefault(SCORES[name].section, []).append(SCORES[name].title)
    listed = "; ".join(
        f"for {section[:1].lower()}{section[1:]}, {', '.join(titles)}"
        for section, titles in sections.items()
    )
    return (
        f"Scores are {listed}. Each was counted on every image by itself, and pooled, all images "
        "together. Scores of classes exclude the background; a mean is over the classes that occur "
        "in truth or prediction."
    )


def _of_statistics() -> str:
    return (
        "Runs were compared by their mean IoU on each image. The mean difference has a 95 % "
        "interval from a symmetric bootstrap-t over images; chance was tested by Wilcoxon's "
        "signed ranks, corrected for the number of pairs by Holm. One run is called better where "
        f"both say so; with fewer than {FEWEST_IMAGES} images, or where they do not, there are too "
        "few images to tell."
    )


def _of_software(runs: Sequence[RunFolder]) -> str:
    made = sorted({str(run.request.get("app_version") or "") for run in runs} - {""})
    said = [(run, started_of(run)) for run in runs]
    devices = sorted({device_of(run, started) for run, started in said} - {""})
    versions = list(dict.fromkeys(v for _, started in said for v in versions_of(started)))
    text = f"OrgSeg {listed(made)} trained the models" if made else "OrgSeg trained the models"
    text += f", with {listed(versions)}" if versions else ""
    text += f", on {listed(devices)}" if devices else ""
    return f"{text}; OrgSeg {__version__} wrote this report."


def _recipe_sources(recipes: Iterable[Recipe]) -> list[str]:
    found = []
    for recipe in recipes:
        chosen: list[Choice | None] = [
            NETWORK_NAMES.get(recipe.network.name),
            *(LOSS_NAMES.get(term.name) for term in recipe.loss),
            *(PREPROCESSING_NAMES.get(step.name) for step in recipe.preprocess),
            OBJECT_NAMES.get(recipe.objects),
            OPTIMISER_NAMES.get(recipe.optimiser),
            SCHEDULE_NAMES.get(recipe.schedule),
        ]
        found += [f"{one.title}: {one.source}" for one in chosen if one is not None and one.source]
    return found


def _score_sources(used: Iterable[str]) -> list[str]:
    names = [name.removesuffix("_3d") for name in used]
    return [SCORES[name].source for name in names if name in SCORES and SCORES[name].source]
