"""One job of a run folder, from its turn on the device to its last event.

Torch is imported only when the turn has come: a job that waits costs almost nothing. Whatever goes
wrong ends in an event with one sentence; the traceback goes to ``log.txt`` alone.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orgseg_app import paths
from orgseg_app.files.atomic import reason
from orgseg_app.files.errors import FileError
from orgseg_app.learn.control import Control
from orgseg_app.learn.errors import LearnError, OutOfMemoryError, StopRequestedError
from orgseg_app.learn.turn import DeviceTurn
from orgseg_app.runs.ensembles import CHOICE_FILE
from orgseg_app.runs.errors import RunError
from orgseg_app.runs.events import EventWriter
from orgseg_app.runs.folder import RunFolder
from orgseg_app.runs.kept_scores import write_metrics
from orgseg_app.runs.model_facts import KEY
from orgseg_app.runs.process import write_json

if TYPE_CHECKING:
    from orgseg_app.learn.data.dataset import Examples
    from orgseg_app.learn.data.splitting import SplitPlan
    from orgseg_app.learn.device import Device
    from orgseg_app.learn.ensembles.members import Loaded
    from orgseg_app.learn.prediction.predictor import Predictor
    from orgseg_app.learn.prediction.scoring import Scores
    from orgseg_app.learn.training.trainer import Trainer
    from orgseg_app.runs.model_facts import ModelFacts
    from orgseg_app.runs.recipes.schema import Recipe


def run_job(run_path: str) -> int:
    """Do what a run folder asks for.

    Parameters
    ----------
    run_path
        The folder; its kind is one of `runs.folder.KINDS`.

    Returns
    -------
    int
        0 finished or stopped, 1 failed.
    """
    try:
        run = RunFolder(Path(run_path))
        events = EventWriter(run.events_path)
    except (RunError, OSError) as error:
        print(f"orgseg: {error}", file=sys.stderr)  # noqa: T201
        return 1
    control = Control(run.control_dir)
    if _rank() > 0:
        events.close()
        return _follow(run, control)
    with events, control.listening():
        job = _Job(run, control, events.write)
        last = {"run": run.run_id, "message": "", "validation": None, "test": None}
        try:
            kind, facts = job.run()
        except StopRequestedError as error:
            kind, facts = "stopped", {"message": str(error)}
        except Exception as error:
            _log(run, traceback.format_exc())
            kind, facts = "failed", {"message": _sentence(error)}
        events.write(kind, **{**last, **facts})
    return int(kind == "failed")


def _rank() -> int:
    """Which of the processes that ``torchrun`` has started this is; 0 without it."""
    text = os.environ.get("RANK", "0")
    return int(text) if text.isdigit() else 0


def _follow(run: RunFolder, control: Control) -> int:
    """Help the first rank with its training; it alone writes, speaks and is asked to stop."""
    if run.kind != "train":
        return 0  # one process predicts
    try:
        with control.listening():
            _Job(run, control, lambda *_, **__: {}).follow()
    except Exception:
        _log(run, traceback.format_exc())
        return 1
    return 0


class _Job:
    """One job: what its parts share."""

    def __init__(
        self, run: RunFolder, control: Control, tell: Callable[..., dict[str, Any]]
    ) -> None:
        self.run_folder, self.control, self.tell = run, control, tell

    def run(self) -> tuple[str, dict[str, Any]]:
        """Wait for the turn, then do it; returns the last event's name and fields."""
        self.run_folder.write_process(os.getpid())
        with DeviceTurn(paths.device_lock()) as turn:
            turn.take(
                on_wait=lambda: self.tell("state", state="queued"),
                should_stop=self.control.stop_asked,
            )
            self.tell("state", state="running")
            from orgseg_app.learn.device import choose_device

            device = choose_device()
            self._say_lost_card(device)
            with suppress(OSError):
                self.run_folder.write_process(os.getpid(), device=str(device))
            kinds = {
                "train": self._train,
                "predict": self._predict,
                "score": self._score,
                "ensemble": self._ensemble,
                "examine": self._examine,
            }
            return kinds[self.run_folder.kind](device)

    def follow(self) -> None:
        """As `run`, for the other ranks of a training."""
        from orgseg_app.files.project_file import ProjectFile
        from orgseg_app.learn.device import choose_device
        from orgseg_app.learn.training.ranks import joined, ranks_from_environment

        with (
            joined(ranks_from_environment()),
            ProjectFile.open(self.run_folder.snapshot_path, read_only=True) as snapshot,
        ):
            self._trainer(choose_device(), snapshot).follow()

    def _say_lost_card(self, device: Device) -> None:
        """Where the GPU pack was chosen and its card does not answer any more, say why."""
        from orgseg_app.gpu.choice import chosen_pack
        from orgseg_app.learn.self_test import why_no_card

        if device.kind == "cpu" and chosen_pack() is not None:
            self._say(f"The graphics card is not used: {why_no_card()}. Going on on the processor.")

    def _train(self, device: Device) -> tuple[str, dict[str, Any]]:
        from orgseg_app.files.project_file import ProjectFile
        from orgseg_app.learn.ensembles.members import load_models
        from orgseg_app.learn.training.objects import fit_objects
        from orgseg_app.learn.training.ranks import joined, ranks_from_environment

        run = self.run_folder
        with ProjectFile.open(run.snapshot_path, read_only=True) as snapshot:
            with joined(ranks_from_environment()):
                trainer = self._trainer(device, snapshot)
                kind, message = trainer.run()
            if not run.best_path.exists():
                return kind, {"message": message}
            seconds, device, plan = trainer.state.active_s, trainer.device, trainer.examples.plan
            validation = trainer.examples.validation
            # Weights, moments and patches are no longer needed; predictions may need the room.
            del trainer
            try:
                fit_objects(run.best_path, validation, device, say=self._say)
                loaded = load_models(run.best_path)
                found, facts = self._scores(loaded, device, snapshot, run.best_path, plan=plan)
            except (OutOfMemoryError, MemoryError) as error:
                self._say(f"The run could not be scored; its model is safe. {error}")
                return kind, {"message": message}
        self._write(found, facts, seconds=round(seconds, 2))
        return kind, {"message": message, **self._told(found, facts)}

    def _trainer(self, device: Device, snapshot: Any) -> Trainer:
        """The training of this run, ready to begin or to go on."""
        from orgseg_app.learn.data.dataset import read_examples
        from orgseg_app.learn.data.splitting import plan_split
        from orgseg_app.learn.device import suited
        from orgseg_app.learn.training.previews import Previews
        from orgseg_app.learn.training.ranks import ranks_from_environment
        from orgseg_app.learn.training.trainer import Trainer

        run, recipe = self.run_folder, self.run_folder.recipe
        if recipe is None:
            raise LearnError("The recipe of this run cannot be read, so it cannot be trained.")
        device, sentence = suited(device, recipe.precision)
        if sentence:
            self._say(sentence)
        plan = plan_split(snapshot, recipe, run.request.get("split"))
        examples = read_examples(snapshot, recipe, plan=plan)
        recipe, examples = self._corrected(recipe, examples, snapshot, device)
        return Trainer(
            recipe,
            examples,
            device,
            best_path=run.best_path,
            last_path=run.last_path,
            run_id=run.run_id,
            name=run.name,
            control=self.control,
            tell=self.tell,
            start_path=run.start_path if run.start_path.is_file() else None,
            previews=Previews(snapshot, run.path, run.control_dir),
            ranks=ranks_from_environment(),
        )

    def _corrected(
        self, recipe: Recipe, examples: Examples, snapshot: Any, device: Device
    ) -> tuple[Recipe, Examples]:
        """All as it is, or weighted by the mistakes of the model at the start."""
        asked = self.run_folder.request.get("corrections")
        if not isinstance(asked, dict):
            return recipe, examples
        from orgseg_app.core.weighting.mistakes import CorrectionSettings
        from orgseg_app.learn.training.corrections import with_corrections

        return with_corrections(
            recipe,
            examples,
            snapshot,
            CorrectionSettings.from_dict(asked),
            start_path=self.run_folder.start_path,
            kept_path=self.run_folder.mistakes_path,
            device=device,
            say=self._say,
            should_stop=self.control.stop_asked,
        )

    def _told(self, found: Scores, costs: ModelFacts | None) -> dict[str, Any]:
        """Scores and costs for the last event; what is refused is said in sentences, too."""
        for entry in found.refused:
            self._say(entry["reason"])
        facts: dict[str, Any] = {split: found.pooled(split) for split in ("validation", "test")}
        facts |= {KEY: costs.to_dict()} if costs is not None else {}
        return facts | ({"refused": found.refused} if found.refused else {})

    def _score(self, device: Device) -> tuple[str, dict[str, Any]]:
        from orgseg_app.files.project_file import ProjectFile
        from orgseg_app.learn.ensembles.members import load_models

        run = self.run_folder
        path = Path(str(run.request["model"]))
        loaded = load_models(path)
        with ProjectFile.open(run.snapshot_path, read_only=True) as snapshot:
            found, facts = self._scores(
                loaded, device, snapshot, path, should_stop=self.control.stop_asked
            )
        self._write(found, facts, scored_run=loaded.run_id, seconds=None)
        return "finished", {
            "message": f"{len(found.images)} images scored.",
            **self._told(found, facts),
        }

    def _scores(
        self,
        loaded: Loaded,
        device: Device,
        snapshot: Any,
        path: Path,
        *,
        plan: SplitPlan | None = None,
        should_stop: Callable[[], bool] | None = None,
    ) -> tuple[Scores, ModelFacts | None]:
        """The scores of a model from a file, and what it costs to predict with it."""
        from orgseg_app.learn.examining.model_facts import PredictionWatch, measured_facts
        from orgseg_app.learn.prediction.scoring import score

        predictor = self._predictor(loaded, device)
        with PredictionWatch(predictor.device) as watch:
            found = score(
                loaded.model,
                predictor,
                snapshot,
                splits=("validation", "test"),
                predictions_path=self.run_folder.predictions_path,
                progress=self._progress("score"),
                plan=plan,
                should_stop=should_stop,
            )
        try:
            facts = measured_facts(
                predictor,
                watch,
                path=path,
                sizes_zyx=[snapshot.project.images[e["image_id"]].mask_shape for e in found.images],
                seconds=found.seconds,
                voxels=found.megapixels * 1e6,
            )
        except Exception:  # scores that took hours are not lost for a figure beside them
            _log(self.run_folder, traceback.format_exc())
            return found, None
        return found, facts

    def _write(self, found: Scores, facts: ModelFacts | None, **more: Any) -> None:
        """``metrics.json``."""
        run = self.run_folder
        kept = None if facts is None else facts.to_dict()
        write_metrics(run, {"run": run.run_id, **found.to_dict(), **more, KEY: kept})

    def _predictor(self, loaded: Loaded, device: Device, **asked: Any) -> Predictor:
        """The models on the device, as they were made to decide or as is asked for."""
        from orgseg_app.learn.prediction.predictor import Predictor

        return Predictor(
            loaded.models,
            device,
            say=self._say,
            stitch=str(asked.get("stitch") or "blend"),
            turns=loaded.turns or bool(asked.get("turns")),
            vote=loaded.is_vote or bool(asked.get("vote")),
            three_planes=bool(asked.get("three_planes")),
        )

    def _progress(self, phase: str) -> Callable[[int, int, str], object]:
        """Tells how far a phase is: done, in all, name of the image."""
        return lambda done, total, item: self.tell(
            "progress", done=done, total=total, item=item, phase=phase
        )

    def _ensemble(self, device: Device) -> tuple[str, dict[str, Any]]:
        """Rank the members, choose how many decide, write them into one file, score them."""
        from orgseg_app.files.project_file import ProjectFile
        from orgseg_app.learn.ensembles.choice import choose
        from orgseg_app.learn.ensembles.members import Loaded, Member, read_member, save_ensemble
        from orgseg_app.learn.ensembles.unseen import unseen_plan

        run, asked = self.run_folder, self.run_folder.request
        how, turns = str(asked.get("how")), bool(asked.get("turns"))
        listed = asked.get("members")
        facts = [m for m in listed if isinstance(m, dict)] if isinstance(listed, list) else []
        if len(facts) < 2:
            raise LearnError("An ensemble needs at least two models; this one does not name them.")
        members = [Member(read_member(run.path, fact), fact) for fact in facts]
        with ProjectFile.open(run.snapshot_path, read_only=True) as snapshot:
            plan = unseen_plan(snapshot, members, asked.get("split"))
            for sentence in plan.messages:
                self._say(sentence)
            images = {split: len(found) for split, found in plan.images(snapshot).items()}
            self.tell("started", device=str(device), images=images)
            alone = Loaded([], turns=turns)
            choice = choose(
                snapshot,
                plan,
                members,
                lambda model: self._predictor(replace(alone, models=[model]), device),
                is_vote=how == "vote",
                progress=self._progress("choose"),
                should_stop=self.control.stop_asked,
            )
            seen = dict.fromkeys(i for member in members for i in member.model.training_images)
            best = [member.model for member in choice.ranked[: choice.k]]
            ensemble = Loaded(best, how, turns, run.run_id, run.name, tuple(seen))
            save_ensemble(run.best_path, ensemble)
            chosen = {**choice.to_dict(), "how": how, "turns": turns}
            write_json(run.path / CHOICE_FILE, {"run": run.run_id, **chosen})
            self.tell("ensemble", **chosen)
            message = choice.sentence(how)
            try:
                found, facts_of_all = self._scores(
                    ensemble,
                    device,
                    snapshot,
                    run.best_path,
                    plan=plan,
                    should_stop=self.control.stop_asked,
                )
            except (OutOfMemoryError, MemoryError) as error:
                self._say(f"The ensemble could not be scored; it is safe and can be used. {error}")
                return "finished", {"message": message}
        each = [s for fact in facts if isinstance(s := fact.get("seconds"), (int, float))]
        seconds = round(sum(each), 2) if len(each) == len(facts) else None
        self._write(found, facts_of_all, seconds=seconds)
        return "finished", {"message": message, **self._told(found, facts_of_all)}

    def _examine(self, device: Device) -> tuple[str, dict[str, Any]]:
        """Predict held-out images under conditions that say what a model relies on."""
        from orgseg_app.files.project_file import ProjectFile
        from orgseg_app.learn.ensembles.members import load_models
        from orgseg_app.learn.examining.examining import examine
        from orgseg_app.runs.examination import examination_from
        from orgseg_app.runs.examining import FILE

        run = self.run_folder
        loaded = load_models(Path(str(run.request["model"])))
        place = Path(str(run.request.get("snapshot") or run.snapshot_path))
        with ProjectFile.open(place, read_only=True) as snapshot:
            found = examine(
                run,
                loaded,
                lambda model: self._predictor(model, device),
                snapshot,
                begun=lambda images: self.tell("started", device=str(device), images=images),
                progress=self._progress("examine"),
                should_stop=self.control.stop_asked,
            )
        write_json(run.path / FILE, found)
        told = examination_from(found)
        return "finished", {"message": " ".join(told.sentences()) if told is not None else ""}

    def _predict(self, device: Device) -> tuple[str, dict[str, Any]]:
        from orgseg_app.learn.ensembles.members import load_together
        from orgseg_app.learn.prediction.batch import BatchRequest, predict_files

        asked = self.run_folder.request
        if "image_ids" in asked:
            return self._predict_images(device)
        request = BatchRequest(
            inputs=tuple(Path(p) for p in asked["inputs"]),
            out=Path(asked["out"]),
            formats=tuple(asked.get("formats") or ("tiff",)),
            overwrite=bool(asked.get("overwrite")),
            resume=bool(asked.get("resume")),
            objects=bool(asked.get("objects")),
        )
        loaded = load_together([Path(p) for p in asked["models"]])
        predictor = self._predictor(loaded, device, **asked)
        self.tell("started", device=str(device), images={"predict": len(request.inputs)})
        result = predict_files(
            predictor, request, tell=self.tell, should_stop=self.control.stop_asked
        )
        problems = result.problems
        if problems and not result.written and not result.skipped:
            more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
            return "failed", {"message": f"No mask was written. {problems[0]}{more}"}
        return "finished", {
            "message": result.sentence(request.out),
            "written": result.written,
            "skipped": result.skipped,
            "problems": problems,
        }

    def _predict_images(self, device: Device) -> tuple[str, dict[str, Any]]:
        from orgseg_app.files.project_file import ProjectFile
        from orgseg_app.learn.ensembles.members import load_together
        from orgseg_app.learn.prediction.scoring import predict_snapshot

        run, asked = self.run_folder, self.run_folder.request
        loaded = load_together([Path(p) for p in asked["models"]])
        predictor = self._predictor(loaded, device, **asked)
        with ProjectFile.open(run.snapshot_path, read_only=True) as snapshot:
            count = predict_snapshot(
                loaded.model,
                predictor,
                snapshot,
                predictions_path=run.predictions_path,
                progress=self._progress("predict"),
                should_stop=self.control.stop_asked,
            )
        return "finished", {"message": f"{count} image{'' if count == 1 else 's'} predicted."}

    def _say(self, text: str) -> None:
        self.tell("message", text=text)


def _sentence(error: Exception) -> str:
    """What to tell the user about an error."""
    if isinstance(error, LearnError | RunError | FileError | ValueError) and str(error):
        return str(error)
    if isinstance(error, MemoryError):
        return "The computer's memory is full. Close other programs, or choose a narrower network."
    if isinstance(error, OSError):
        return (
            f"The files of this run could not be read or written: {reason(error)}. The project and "
            "what the run had saved are safe; once that is mended, the run can go on from there."
        )
    return (
        f"The job ended unexpectedly ({type(error).__name__}). What was saved before is safe; "
        "the log of the run says more."
    )


def _log(run: RunFolder, text: str) -> None:
    with suppress(OSError), open(run.log_path, "a", encoding="utf-8") as log:
        log.write(text)
