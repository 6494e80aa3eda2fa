"""How a training begins and what it holds out: a fresh network or a model, folds, blocks. No Qt."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import structs

from orgseg_app.core.split import TEST, TRAIN, VALIDATION
from orgseg_app.gui.runs.estimate import Estimate
from orgseg_app.runs.errors import RunError
from orgseg_app.runs.folder import RunFolder
from orgseg_app.runs.recipes.networks import NETWORK_NAMES
from orgseg_app.runs.recipes.schema import Recipe
from orgseg_app.runs.recipes.wording import describe

if TYPE_CHECKING:
    from orgseg_app.core.weighting.mistakes import CorrectionSettings
    from orgseg_app.files.project_file import ProjectFile

MODEL_SUFFIXES = (".orgmodel", ".ckpt")
FOLDS = (0, 3, 5, 10)
"""Numbers of folds that are offered; 0 is one ordinary run."""
SEEDS = (0, 3, 5, 10)
"""Numbers of seeds that are offered; 0 is one run."""


@dataclass(frozen=True)
class Start:
    """What is asked for beside the recipe.

    Attributes
    ----------
    source : RunFolder, Path or None
        A run (its best state counts) or a model file whose weights are the beginning.
    folds : int
        So many runs, each with another part held out; 0 for one ordinary run.
    blocks : bool
        Part the only painted image into bands that learn, choose and judge.
    seeds : int
        So many runs, each begun with other random weights; 0 for one. Not together with folds.
    corrections : CorrectionSettings or None
        Let voxels count more where the model at the start is wrong by today's masks.
    """

    source: RunFolder | Path | None = None
    folds: int = 0
    blocks: bool = False
    seeds: int = 0
    corrections: CorrectionSettings | None = None

    def prepare(
        self, file: ProjectFile, recipe: Recipe, name: str, watched: tuple[str, int] | None = None
    ) -> list[RunFolder]:
        """Freeze recipe and annotation into run folders, one or one a fold or seed; slow.

        Parameters
        ----------
        file, recipe, name
            As in `runs.training.prepare_training`.
        watched
            Image id and plane to ask a preview of.

        Raises
        ------
        RunError
            With a sentence, when the project cannot be trained on so, or the disk refuses.
        """
        from orgseg_app.runs.folds import prepare_folds
        from orgseg_app.runs.previews import ask_for_previews
        from orgseg_app.runs.seeds import prepare_seeds
        from orgseg_app.runs.training import prepare_training

        if self.folds:
            runs = prepare_folds(file, recipe, self.folds, name)
        elif self.seeds:
            runs = prepare_seeds(
                file,
                recipe,
                self.seeds,
                name,
                start_from=self.source,
                blocks=self.blocks,
                corrections=self.corrections,
                preview_images=[watched[0]] if watched else [],
            )
        else:
            run = prepare_training(
                file,
                recipe,
                name,
                start_from=self.source,
                blocks=self.blocks,
                corrections=self.corrections,
                preview_images=[watched[0]] if watched else [],
            )
            runs = [run]
        for run in runs:
            inside = {fact.get("id") for fact in run.request.get("images", ())}
            if watched and (not self.folds or watched[0] in inside):
                ask_for_previews(run, [watched])
        return runs


@dataclass(frozen=True)
class StartModel:
    """What a model says about itself before it is trained further.

    Attributes
    ----------
    name : str
    recipe : Recipe
    class_names : tuple of str
        Background first.
    channels : int
    steps : int
        It has learned for so many.
    seen : frozenset of str
        Fingerprints of the images it learned from or was chosen on.
    """

    name: str
    recipe: Recipe
    class_names: tuple[str, ...]
    channels: int
    steps: int
    seen: frozenset[str]


def read_start(source: RunFolder | Path) -> StartModel:
    """What the best state of a run, or a model file from anywhere, says about itself.

    Only its description is read, and checked; the weights are for the job, which checks them too.

    Raises
    ------
    RunError
        With a sentence, when it is not there, damaged, of another program, or cannot be trained
        further.
    """
    from orgseg_app.runs.model_file import read_model_facts
    from orgseg_app.runs.recipes.reading import recipe_from_builtins
    from orgseg_app.runs.training import model_path

    path = model_path(source)
    facts = read_model_facts(path)
    recipe = recipe_from_builtins(facts["recipe"])
    shown = source.name if isinstance(source, RunFolder) else path.stem
    try:
        model = StartModel(
            name=shown,
            recipe=recipe,
            class_names=tuple(str(item["name"]) for item in facts["classes"]),
            channels=int(facts["channels"]),
            steps=int(facts.get("step", 0)),
            seen=frozenset(str(item) for item in facts.get("training_images", ())),
        )
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise RunError(
            f'"{path.name}" does not say which classes it knows, so it cannot be trained further. '
            "Choose the model of a run."
        ) from error
    if NETWORK_NAMES[recipe.network.name].is_fitted:
        title = NETWORK_NAMES[recipe.network.name].title
        raise RunError(
            f'"{shown}" is of the kind "{title}", which is fitted anew each time and cannot be '
            "trained further. Choose another model."
        )
    return model


def with_network(recipe: Recipe, model: StartModel | None) -> Recipe:
    """The recipe as it will be trained: the network is that of the model."""
    return recipe if model is None else structs.replace(recipe, network=model.recipe.network)


def start_words(
    model: StartModel,
    recipe: Recipe,
    *,
    class_names: tuple[str, ...],
    channels: int | None,
    test_images: Mapping[str, str],
) -> list[str]:
    """What will happen when a model is trained further with a recipe, in sentences.

    Parameters
    ----------
    model, recipe
    class_names : tuple of str
        Of the project, background first.
    channels : int or None
        Of the project's images; None where there is none.
    test_images : mapping of str to str
        Fingerprint → name of each painted test image.
    """
    said = []
    theirs = describe(model.recipe).partition(" · ")[0]
    if model.recipe.network != recipe.network:
        own = describe(recipe).partition(" · ")[0]
        said.append(f"The network will be the model's, {theirs}, instead of {own}.")
    else:
        said.append(f"Its network, {theirs}, goes on learning after {model.steps} steps.")
    ours, before = ([(s.name, s.params) for s in r.preprocess] for r in (recipe, model.recipe))
    if ours != before:
        said.append("Images are prepared otherwise than it is used to; it may need a while.")
    known = {name.casefold() for name in model.class_names[1:]}
    new = [name for name in class_names[1:] if name.casefold() not in known]
    if new:
        words = ("begins", "it") if len(new) == 1 else ("begin", "them")
        said.append(f"{_listed(new)} {words[0]} anew: the model does not know {words[1]}.")
    if channels is not None and channels != model.channels:
        said.append(
            f"It learned from images with {_channels(model.channels)}, these have {channels}: "
            "its first layer is averaged over them."
        )
    if judged := [name for sha256, name in test_images.items() if sha256 in model.seen]:
        said.append(
            f"It has seen {_listed(judged)} while learning, so there will be no test score on "
            f"{'it' if len(judged) == 1 else 'them'}."
        )
    return said


def judged_names(file: ProjectFile, painted: Mapping[str, Any]) -> dict[str, str]:
    """Fingerprint → name of each painted test image."""
    images = file.project.images.values()
    return {i.sha256: i.name for i in images if i.split == TEST and i.image_id in painted}


def folds_words(file: ProjectFile | None, painted: Mapping[str, Any], folds: int) -> str:
    """What so many folds mean, in a sentence or two; "" for one ordinary run."""
    if not folds:
        return ""
    images = file.project.images if file is not None else {}
    parted = [i for i in painted if i in images and images[i].split in (TRAIN, VALIDATION)]
    what = "band of the image" if len(parted) == 1 else "share of the images"
    return (
        f"{folds} runs one after the other. Each holds out another {what} and is judged on it; "
        "test images stay out of all. All begin with a fresh network."
    )


def seeds_words(seeds: int) -> str:
    """What so many seeds mean, in a sentence or two; "" for one run."""
    if not seeds:
        return ""
    return (
        f"{seeds} runs one after the other, alike but for chance: how far they differ is luck. "
        "Afterwards, make an ensemble of them (Train menu)."
    )


def estimate_text(found: Estimate, runs: int) -> str:
    """The estimate for all folds or seeds together; 0 or 1: for one run."""
    if runs < 2:
        return found.text
    low, high = found.seconds
    text = replace(found, seconds=(low * runs, high * runs)).text
    joined = f"{text[:1].lower()}{text[1:]}"
    return f"{runs} runs, {'each ' if found.is_fitted else ''}{joined}"


def _listed(names: list[str]) -> str:
    quoted = [f"“{name}”" for name in names[:3]]
    rest = len(names) - 3
    return ", ".join(quoted) + (f" and {rest} more" if rest > 0 else "")


def _channels(count: int) -> str:
    return "1 channel" if count == 1 else f"{count} channels"
