"""The command line: which verb takes what, and how failures are told.

Light on purpose: the verbs live in `orgseg_app.commands` and are imported when they are used.
Exit codes: 0 done, 1 failed with one clear sentence on stderr, 2 wrong usage.
"""

from __future__ import annotations

import argparse
import difflib
import importlib
import logging
import os
import sys
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from orgseg_app import __version__
from orgseg_app.commands import measuring_arguments
from orgseg_app.commands.console import sentence_of

DONE, FAILED, WRONG_USAGE = 0, 1, 2

_ABOUT = """Paint a few masks on microscopy images, train networks in the background, compare them,
export masks. Without a verb, the window opens."""

_SPLITS = ("train", "validation", "test")
_CODECS = ("plain", "compact", "fast")
_LAYOUTS = ("snemi3d", "platelet", "platelet-colours", "platelet-json")


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, and where the help is."""

    def error(self, message: str) -> NoReturn:
        """End with exit code 2."""
        sys.stderr.write(f"{self.prog}: {message}. See {self.prog} --help.\n")
        raise SystemExit(WRONG_USAGE)


def _add_json(parser: argparse.ArgumentParser, text: str = "print one JSON object a line") -> None:
    parser.add_argument("--json", action="store_true", help=text)


def _verb(
    verbs: Any, name: str, where: str, text: str, *, project: bool = False
) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = verbs.add_parser(name, help=text, description=text)
    parser.set_defaults(where=where)
    if project:
        parser.add_argument("project", type=Path, metavar="PROJECT", help="an .orgseg file")
    return parser


def _add_project_verbs(verbs: Any) -> None:
    new = _verb(verbs, "new", "project:new", "make an empty project", project=True)
    new.add_argument(
        "--classes",
        default="",
        metavar="NAME[:COLOUR],...",
        help="beside background, for example ER:#E69F00,nucleus",
    )
    new.add_argument(
        "--codec",
        default="plain",
        choices=_CODECS,
        help="plain: any HDF5 program reads it; compact: so, and smaller; fast: needs hdf5plugin",
    )
    imp = _verb(verbs, "import", "importing:run", "add images and their masks", project=True)
    imp.add_argument(
        "paths",
        nargs="+",
        type=Path,
        metavar="PATH",
        help="images, folders, files of microscopes, or one image in a file: a.h5:/raw, a.czi:/A1",
    )
    imp.add_argument(
        "--annotations", action="append", type=Path, metavar="PATH", help="where the masks are"
    )
    imp.add_argument("--format", default="auto", metavar="NAME", help="see: orgseg formats")
    imp.add_argument("--split", default="auto", choices=("auto", *_SPLITS))
    imp.add_argument(
        "--class",
        dest="class_names",
        default="",
        metavar="NAME[,NAME...]",
        help="what the masks show; made when the project lacks it",
    )
    imp.add_argument(
        "--meaning",
        default="auto",
        choices=("auto", "binary", "instances", "classes", "none"),
        help="what the numbers in the masks stand for; none: images only",
    )
    imp.add_argument(
        "--boxes",
        default="otsu",
        choices=("otsu", "grabcut", "weak"),
        help="objects of which only a box is known: found in it, or the box left unlabelled",
    )
    imp.add_argument(
        "--link",
        action="store_true",
        help="leave the images in their files; the project knows these by content",
    )
    imp.add_argument(
        "--as-volume",
        action="store_true",
        help="numbered images of equal size are the planes of one volume",
    )
    imp.add_argument("--codec", default="", choices=_CODECS, help="how images are packed")
    imp.add_argument("--yes", action="store_true", help="do not ask")
    _add_json(imp)
    relink = _verb(verbs, "relink", "importing:relink", "find linked images", project=True)
    relink.add_argument("place", type=Path, metavar="FOLDER", help="where to look, or one file")
    _add_json(relink, "print one JSON object")
    embed = _verb(verbs, "embed", "importing:embed", "copy linked images in", project=True)
    _add_json(embed, "print one JSON object")
    info = _verb(verbs, "info", "project:info", "say what is in a project", project=True)
    _add_json(info)
    export = _verb(verbs, "export", "exporting:run", "write masks, a model, or all", project=True)
    export.add_argument(
        "--what", required=True, choices=("masks", "objects", "model", "packed", "dataset")
    )
    export.add_argument(
        "--layout",
        default="platelet",
        choices=_LAYOUTS,
        help="of a dataset: a folder tree of pictures, or stacks with labels beside",
    )
    export.add_argument("--out", required=True, type=Path, metavar="DIR")
    export.add_argument("--run", default="", metavar="RUN", help="which model (newest without)")
    export.add_argument(
        "--runs", default="all", metavar="A,B,...", help="packed inside: names, all, best or none"
    )
    export.add_argument(
        "--training", action="store_true", help="packed: also what is needed to repeat a training"
    )
    export.add_argument("--formats", default="tiff", metavar="NAME,...", help="tiff, png")
    export.add_argument(
        "--as",
        dest="as_",
        default="",
        metavar="NAME,...",
        help="objects: tiff, png, mask-folders, or a format of another program: orgseg formats",
    )
    export.add_argument("--overwrite", action="store_true", help="replace files that exist")
    _add_json(export)
    text = "sizes, shapes and brightness of objects, as a table"
    measuring_arguments.add_arguments(_verb(verbs, "measure", "measuring:run", text))
    augment = _verb(verbs, "augment", "augmenting:run", "write images many times over, augmented")
    augment.add_argument("source", type=Path, metavar="PROJECT|FOLDER", help="images with masks")
    augment.add_argument("--out", required=True, type=Path, metavar="DIR", help="an empty folder")
    augment.add_argument(
        "--times",
        default=8,
        type=int,
        choices=(6, 8, 12),
        help="8: flips and quarter turns; 6: as published for ER; 12: also drawn by chance",
    )
    augment.add_argument("--seed", default=0, type=int, help="decides what is drawn by chance")
    augment.add_argument("--split", default="train", choices=(*_SPLITS, "all"))
    augment.add_argument("--format", default="tiff", metavar="NAME", help="tiff or png")
    _add_json(augment)
    _add_weights_verb(verbs)
    _add_backup_verbs(verbs)


def _add_weights_verb(verbs: Any) -> None:
    text = "let rare classes and edges count more in training"
    weights = _verb(verbs, "weights", "weights:run", text, project=True)
    weights.add_argument("--images", default="", metavar="NAME,...", help="all without")
    weights.add_argument(
        "--edges",
        default="",
        metavar="CLASS+CLASS:CLASS,...",
        help="between which classes; structures and background without, none for no edges",
    )
    weights.add_argument("--one-sided", action="store_true", help="only right of the colon")
    weights.add_argument("--no-balance", action="store_true", help="let all classes count alike")
    weights.add_argument("--strength", default=25.0, type=float, help="of the strongest edge")
    weights.add_argument("--reach", default=50, type=int, help="steps that edges spread")
    weights.add_argument("--floor", default=0.01, type=float, help="least weight of what counts")
    weights.add_argument("--combine", default="sum", choices=("sum", "product"))
    weights.add_argument("--leave-out", default="", metavar="CLASS,...", help="count nothing")
    weights.add_argument("--remove", action="store_true", help="let all voxels count alike again")
    _add_json(weights)


def _add_backup_verbs(verbs: Any) -> None:
    verify = _verb(verbs, "verify", "backups:verify", "read all, say what is damaged", project=True)
    _add_json(verify, "print one JSON object")
    backups = _verb(verbs, "backups", "backups:backups", "list a project's backups", project=True)
    _add_json(backups)
    restore = _verb(verbs, "restore", "backups:restore", "put masks of a backup back", project=True)
    restore.add_argument("backup", metavar="BACKUP", help="its number, newest, or a backup's path")
    restore.add_argument(
        "--images", nargs="+", metavar="NAME", help="only these images of the project"
    )
    restore.add_argument("--facts", action="store_true", help="splits and notes as well")
    _add_json(restore, "print one JSON object")
    compact = _verb(verbs, "compact", "compacting:run", "give back unused room", project=True)
    _add_json(compact, "print one JSON object")


def _add_list_verbs(verbs: Any) -> None:
    for name, text in (
        ("recipes", "ready-made recipes"),
        ("networks", "networks a recipe may use"),
        ("losses", "losses a recipe may use"),
        ("preprocessing", "preprocessing a recipe may use"),
        ("augmentations", "augmentations a recipe may use"),
        ("formats", "layouts of annotations that are read and written"),
    ):
        _add_json(_verb(verbs, name, f"listing:{name}", f"list the {text}"))


def _add_run_verbs(verbs: Any) -> None:
    train = _verb(verbs, "train", "training:train", "train on a project", project=True)
    train.add_argument("--recipe", default="fast", metavar="NAME|FILE", help="see: orgseg recipes")
    train.add_argument(
        "--set",
        dest="settings",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="change a field of the recipe, for example network.width=32 or loss=bce+dice",
    )
    train.add_argument("--name", default="", help="what to call the run")
    train.add_argument(
        "--from",
        dest="start_from",
        default="",
        metavar="RUN|FILE",
        help="go on from the weights of a run or a model file; its network is taken over",
    )
    train.add_argument(
        "--corrections",
        default="",
        choices=("missed", "extra", "both"),
        help="with --from: voxels count more where that model is wrong by the masks as they are",
    )
    parts = train.add_mutually_exclusive_group()
    parts.add_argument(
        "--folds", default=0, type=int, metavar="K", help="K runs, each with another part held out"
    )
    parts.add_argument(
        "--blocks",
        action="store_true",
        help="one painted image: bands of it learn, choose and judge, with gaps between",
    )
    train.add_argument(
        "--seeds", default=0, type=int, metavar="N", help="N runs, each begun with another seed"
    )
    start = train.add_mutually_exclusive_group()
    start.add_argument("--detach", action="store_true", help="start it and come back at once")
    start.add_argument(
        "--prepare",
        action="store_true",
        help="only make the run's folder, for torchrun: see README, several graphics cards",
    )
    _add_json(train, "print the run's events as they come, one JSON object a line")
    _add_ensemble_verb(verbs)
    _add_study_verb(verbs)
    runs = _verb(verbs, "runs", "training:runs", "list the runs of a project", project=True)
    _add_json(runs)
    for name, text in (
        ("stop", "end a run soon and keep what it has learnt"),
        ("pause", "let a run wait"),
        ("resume", "let a paused run go on, or start a stopped one again"),
    ):
        ask = _verb(verbs, name, f"training:{name}", text, project=True)
        ask.add_argument("run", metavar="RUN", help="its id, name or folder")
        if name == "stop":
            ask.add_argument("--now", action="store_true", help="end it at once, without asking")
    compare = _verb(verbs, "compare", "comparing:run", "compare runs", project=True)
    compare.add_argument("--runs", default="", metavar="A,B,...", help="all with scores without")
    compare.add_argument("--split", default="test", choices=_SPLITS)
    compare.add_argument(
        "--group", default="", metavar="CLASS,...", help="means over these; all but background"
    )
    _add_report(compare, "write the comparison")
    compare.add_argument("--score", action="store_true", help="score runs on today's test images")
    _add_json(compare, "print the comparison as one JSON object")
    _add_import_predictions_verb(verbs)
    _add_examine_verb(verbs)
    predict = _verb(verbs, "predict", "predicting:run", "write masks for new images")
    predict.add_argument("inputs", nargs="+", type=Path, metavar="INPUT", help="images, folders")
    predict.add_argument(
        "--model",
        dest="models",
        action="append",
        required=True,
        metavar="RUN|FILE",
        help="a run's folder or a model file; PROJECT:RUN names a run of a project; several: mean",
    )
    predict.add_argument("--out", required=True, type=Path, metavar="DIR")
    predict.add_argument("--formats", default="tiff", metavar="NAME,...", help="tiff, png")
    predict.add_argument(
        "--resume",
        action="store_true",
        help="leave masks that are there, go on with a volume that was begun",
    )
    predict.add_argument("--overwrite", action="store_true", help="replace masks that are there")
    _add_ways_to_predict(predict)
    _add_json(predict)


def _add_import_predictions_verb(verbs: Any) -> None:
    text = "compare masks of another program, or of a second person, with the models"
    where = "importing_predictions:run"
    imp = _verb(verbs, "import-predictions", where, text, project=True)
    imp.add_argument(
        "paths",
        nargs="+",
        type=Path,
        metavar="PATH",
        help="masks or objects, named like the images; or another .orgseg of the same images",
    )
    imp.add_argument("--name", default="", help="what to call the row")
    imp.add_argument(
        "--by-person", action="store_true", help="a second annotation, not a program's predictions"
    )
    imp.add_argument("--format", default="auto", metavar="NAME", help="see: orgseg formats")
    imp.add_argument(
        "--meaning",
        default="auto",
        choices=("auto", "binary", "instances", "classes"),
        help="what the numbers in the masks stand for",
    )
    imp.add_argument(
        "--class",
        dest="class_names",
        default="",
        metavar="NAME[,NAME...]",
        help="classes of the project for theirs, in order, or THEIRS=NAME",
    )
    imp.add_argument("--yes", action="store_true", help="do not ask")
    _add_json(imp, "print one JSON object")


def _add_examine_verb(verbs: Any) -> None:
    text = "which levels a trained network relies on, or how much noise it bears"
    examine = _verb(verbs, "examine", "examining:run", text, project=True)
    examine.add_argument("run", metavar="RUN", help="its id, name or folder")
    examine.add_argument("--what", required=True, choices=("levels", "noise"))
    examine.add_argument("--split", default="validation", choices=_SPLITS[1:])
    examine.add_argument(
        "--snr", default="", metavar="DB,...", help="signal-to-noise ratios; 30,20,15,10,5,0"
    )
    examine.add_argument("--seed", default=0, type=int, help="of the noise")
    _add_json(examine, "print the job's events, then what it found, one JSON object a line")


def _add_report(parser: argparse.ArgumentParser, what: str) -> None:
    parser.add_argument(
        "--out",
        action="append",
        default=[],
        type=Path,
        metavar="FILE.(html|xlsx|json|csv)",
        help=f"{what}, as the ending says",
    )
    parser.add_argument(
        "--report", type=Path, metavar="FOLDER", help=f"{what} in all formats, with figures"
    )


def _add_ways_to_predict(predict: argparse.ArgumentParser) -> None:
    predict.add_argument(
        "--stitch",
        default="blend",
        choices=("blend", "deepest"),
        help="overlapping tiles: blended, or each voxel by the tile in which it lies deepest",
    )
    predict.add_argument(
        "--turns",
        action="store_true",
        help="the mean of all eight turns and mirror images: 8 times the work",
    )
    predict.add_argument(
        "--vote", action="store_true", help="several models: one vote each in place of the mean"
    )
    predict.add_argument(
        "--three-planes",
        action="store_true",
        help="volumes by a network of planes: the mean of the planes along all three axes",
    )
    predict.add_argument(
        "--objects", action="store_true", help="also a table and an image of the separate objects"
    )


def _add_ensemble_verb(verbs: Any) -> None:
    text = "let several runs decide together, as one more run"
    ensemble = _verb(verbs, "ensemble", "ensembles:run", text, project=True)
    ensemble.add_argument("--runs", required=True, metavar="A,B,...", help="ids or names")
    ensemble.add_argument(
        "--how",
        default="mean",
        choices=("mean", "vote"),
        help="mean of their probabilities, or one vote each",
    )
    ensemble.add_argument(
        "--turns", action="store_true", help="predict images turned and mirrored, too: 8 times work"
    )
    ensemble.add_argument("--name", default="", help="what to call it")
    ensemble.add_argument("--detach", action="store_true", help="start it and come back at once")
    _add_json(ensemble, "print its events as they come, one JSON object a line")


def _add_study_verb(verbs: Any) -> None:
    text = "train a grid of recipes and say which is better, and what each setting does"
    study = _verb(verbs, "study", "studying:run", text, project=True)
    study.add_argument(
        "study", nargs="?", default="", metavar="STUDY.toml|NAME", help="which are there: --list"
    )
    begin = study.add_mutually_exclusive_group()
    begin.add_argument("--dry-run", action="store_true", help="what it would train and take")
    begin.add_argument("--detach", action="store_true", help="start it and come back at once")
    act = study.add_mutually_exclusive_group()
    for name, text in (
        ("resume", "let a study go on that is paused, stopped or was cut off"),
        ("pause", "let a study wait"),
        ("stop", "end a study soon; what is learnt is kept, and it can go on later"),
        ("results", "which is best on validation, what each axis does, and why"),
    ):
        # Without an id, the newest study of the project.
        act.add_argument(f"--{name}", nargs="?", const="", metavar="ID", help=text)
    act.add_argument("--list", action="store_true", help="the project's studies, and ready-made")
    _add_report(study, "with --results: write them")
    _add_json(study)


def build_parser() -> argparse.ArgumentParser:
    """The whole command line."""
    parser = _Parser(
        prog="orgseg", description=_ABOUT, epilog="orgseg VERB --help says more about a verb."
    )
    parser.add_argument("--version", action="version", version=f"OrgSeg {__version__}")
    parser.add_argument(
        "--new-window", action="store_true", help="a second window, while one is open already"
    )
    parser.add_argument(
        "--reset-settings", action="store_true", help="all settings as at the first start"
    )
    verbs = parser.add_subparsers(title="verbs", dest="verb", metavar="VERB", parser_class=_Parser)
    demo = _verb(verbs, "demo", "demo:run", "make a sample project, train on it, compare, export")
    demo.add_argument("--headless", action="store_true", help="do not open the window")
    demo.add_argument("--out", default=Path("orgseg-demo"), type=Path, metavar="DIR")
    _add_json(demo)
    _add_project_verbs(verbs)
    _add_list_verbs(verbs)
    _add_run_verbs(verbs)
    doctor = _verb(verbs, "doctor", "doctor:run", "devices, versions, why it is slow if it is")
    doctor.add_argument(
        "--report",
        type=Path,
        metavar="FILE.zip",
        help="write what helps to find a fault: logs, versions; no images, no names",
    )
    doctor.add_argument(
        "--project", type=Path, metavar="PROJECT", help="with --report: counts and sizes of it, too"
    )
    doctor.add_argument("--self-test", action="store_true", help="ten seconds with the device")
    doctor.add_argument("--gpu", action="store_true", help="only what there is to say about cards")
    doctor.add_argument("--here", action="store_true", help=argparse.SUPPRESS)  # not the GPU pack
    _add_json(doctor)
    return parser


def _verbs(parser: argparse.ArgumentParser) -> list[str]:
    actions = [a for a in parser._actions if isinstance(a, argparse._SubParsersAction)]
    return list(actions[0].choices)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Parameters
    ----------
    arguments : sequence of str, optional
        Words after the program's name; None takes them from the process.

    Returns
    -------
    int
        Exit code.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    _prepare_output()
    try:
        command = _chosen(words)
        return command()
    except SystemExit as error:
        return error.code if isinstance(error.code, int) else FAILED
    except KeyboardInterrupt:
        sys.stderr.write("\norgseg: Stopped. Nothing that was saved is lost.\n")
        return FAILED
    except BrokenPipeError:
        # Whoever read the output has gone away; keep the interpreter from complaining at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except Exception as error:
        return _tell_failure(error)


def _chosen(words: Sequence[str]) -> Callable[[], int]:
    """The function that does what is asked."""
    parser = build_parser()
    verbs = _verbs(parser)
    named = [word for word in words if word != "--new-window"]
    first = named[0] if named else ""
    if not first or (first not in verbs and not first.startswith("-")):
        if not all(_may_be_opened(word) for word in named):
            near = difflib.get_close_matches(first, verbs, n=1)
            hint = f" Did you mean {near[0]}?" if near else " See orgseg --help."
            sys.stderr.write(f'orgseg: there is no verb "{first}", and no such file.{hint}\n')
            raise SystemExit(WRONG_USAGE)
        from orgseg_app.commands.window import open_window

        is_new = len(named) < len(words)
        return lambda: open_window([Path(word) for word in named], is_new=is_new)
    asked = parser.parse_args(words)
    if asked.reset_settings:
        from orgseg_app.commands.resetting import reset_settings

        return reset_settings
    if not hasattr(asked, "where"):
        parser.print_help()
        raise SystemExit(DONE)
    module, _, name = asked.where.partition(":")
    function = getattr(importlib.import_module(f"orgseg_app.commands.{module}"), name)
    return lambda: int(function(asked) or DONE)


def _may_be_opened(word: str) -> bool:
    return word.endswith(".orgseg") or Path(word).exists()


def _prepare_output() -> None:
    """UTF-8 wherever nobody says otherwise, and no chatter of libraries on stderr."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            is_terminal = stream.isatty()
            stream.reconfigure(
                encoding=stream.encoding if is_terminal else "utf-8", errors="backslashreplace"
            )
    if not sys.warnoptions:
        warnings.simplefilter("ignore")
    root, ours = logging.getLogger(), logging.getLogger("orgseg_app")
    if not root.handlers:
        root.addHandler(logging.NullHandler())
    if not ours.handlers:
        ours.addHandler(_Notes(logging.WARNING))


class _Notes(logging.Handler):
    """Shows what our own modules have to say, one line each."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print a record."""
        sys.stderr.write(f"Note: {record.getMessage()}\n")


def _tell_failure(error: Exception) -> int:
    """One sentence on stderr; the traceback of what nobody expected goes to a log file."""
    sentence = sentence_of(error)
    if sentence is None:
        from orgseg_app import logs

        path = logs.start("command")
        logging.getLogger("orgseg").error("unexpected", exc_info=error)
        details = f"The details are in {path}." if path else "No log could be written."
        sentence = (
            f"Something went wrong that nobody expected ({type(error).__name__}: {error}). "
            f"What was saved is safe. {details}"
        )
    sys.stderr.write(f"orgseg: {' '.join(sentence.split())}\n")
    return FAILED
