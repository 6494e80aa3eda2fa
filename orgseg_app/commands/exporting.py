"""``export``: masks and objects of the annotated images, a model, or all of it in one file."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from orgseg_app.commands.console import CommandError, Progress, out, out_json, plural, warn
from orgseg_app.commands.packed import project_with_runs
from orgseg_app.commands.project import existing_project
from orgseg_app.runs.folder import MODEL_KINDS, RunFolder, find_run, list_runs
from orgseg_app.runs.prediction import MODEL_SUFFIX, check_output_folder

if TYPE_CHECKING:
    from orgseg_app.files.project_file import ProjectFile


def formats_from(text: str) -> list[str]:
    """Format names from ``"tiff,png"``.

    Raises
    ------
    CommandError
        For a name that is none.
    """
    from orgseg_app.files.export import MASK_FORMATS

    names = [name.strip().lower() for name in text.split(",") if name.strip()]
    names = [{"tif": "tiff"}.get(name, name) for name in names]
    for name in names:
        if name not in MASK_FORMATS:
            known = ", ".join(MASK_FORMATS)
            raise CommandError(f'There is no mask format "{name}"; the formats are {known}.')
    if not names:
        raise CommandError("Name at least one format, for example --formats tiff.")
    return list(dict.fromkeys(names))


def run(asked: Namespace) -> int:
    """Write what was asked for."""
    from orgseg_app.files.project_file import ProjectFile

    path = existing_project(asked.project)
    if asked.what == "objects":
        return _export_objects(path, asked)
    formats = formats_from(asked.formats)
    if asked.what == "dataset":
        return _export_training_set(path, asked)
    if asked.what == "packed":
        return _export_packed(project_with_runs(path), asked)
    if asked.what == "model":
        run_folder = _chosen_run(project_with_runs(path), asked.run)
        written = [_export_model(run_folder, asked.out, asked.overwrite)]
    else:
        with ProjectFile.open(path, read_only=True) as project_file:
            written = _export_images(project_file, asked, formats)
    if asked.json:
        for file in written:
            out_json({"written": str(file)})
    else:
        out(f'{plural(len(written), "file")} written to "{asked.out}".')
    return 0


def _chosen_run(path: Path, text: str) -> RunFolder:
    if text:
        return find_run(path, text)
    runs = list_runs(path)
    with_model = [run for run in runs if run.kind in MODEL_KINDS and run.best_path.is_file()]
    if not with_model:
        raise CommandError(
            f'"{path.name}" has no trained model yet. Train one first: orgseg train "{path}".'
        )
    return with_model[-1]


def _export_model(run_folder: RunFolder, folder: Path, overwrite: bool) -> Path:
    from orgseg_app.files.atomic import replacing
    from orgseg_app.files.export import export_path

    if not run_folder.best_path.is_file():
        raise CommandError(
            f'The run "{run_folder.name}" has no model yet (it is {run_folder.state}).'
        )
    check_output_folder(folder)
    target = export_path(folder, run_folder.name, MODEL_SUFFIX)
    try:
        with replacing(target, overwrite=overwrite) as draft:
            draft.write_bytes(run_folder.best_path.read_bytes())
    except FileExistsError as error:
        raise CommandError(
            f'"{target}" exists already and was left as it is. Add --overwrite to replace it.'
        ) from error
    return target


def _export_images(project_file: ProjectFile, asked: Namespace, formats: list[str]) -> list[Path]:
    from orgseg_app.files.project_export import export_masks

    check_output_folder(asked.out)
    progress = Progress("Exporting", quiet=asked.json)
    written = export_masks(
        project_file,
        asked.out,
        formats=formats,
        overwrite=asked.overwrite,
        progress=progress.show,
    )
    progress.clear()
    return written


def _export_objects(path: Path, asked: Namespace) -> int:
    """Write objects in formats of other programs, ``--as NAME,...``."""
    from orgseg_app.files.object_export import export_objects_as, ways
    from orgseg_app.files.project_file import ProjectFile

    known = ways()
    typed = [name.strip().lower() for name in (asked.as_ or asked.formats).split(",")]
    spelt = {name.replace("_", "-"): name for name in known} | {"tif": "tiff"}
    names = list(dict.fromkeys(spelt.get(n.replace("_", "-"), n) for n in typed if n))
    for name in names:
        if name not in known:
            raise CommandError(
                f'There is no format "{name}" for objects; the formats are {", ".join(known)}.'
            )
    if not names:
        raise CommandError("Name at least one format, for example --as tiff.")
    check_output_folder(asked.out)
    progress = Progress("Exporting", quiet=asked.json)
    with ProjectFile.open(path, read_only=True) as project_file:
        written = export_objects_as(
            project_file, asked.out, names, overwrite=asked.overwrite, progress=progress.show
        )
    progress.clear()
    for sentence in written.notes:
        warn(sentence)
    if asked.json:
        for file in written.files:
            out_json({"written": str(file)})
    else:
        images = plural(written.images, "image")
        titles = ", ".join(known[name].title for name in names)
        out(
            f'Objects of {images} written to "{asked.out}" in '
            f"{plural(len(written.files), 'file')}: {titles}."
        )
    return 0


def _export_training_set(path: Path, asked: Namespace) -> int:
    """Write images, masks and weights as a published training set lies on disk."""
    from orgseg_app.files.project_file import ProjectFile
    from orgseg_app.files.training_set import export_training_set

    check_output_folder(asked.out)
    progress = Progress("Exporting", quiet=asked.json)
    with ProjectFile.open(path, read_only=True) as project_file:
        written = export_training_set(
            project_file,
            asked.out,
            asked.layout,
            overwrite=asked.overwrite,
            progress=progress.show,
        )
    progress.clear()
    for sentence in written.notes:
        warn(sentence)
    if asked.json:
        for file in written.files:
            out_json({"written": str(file)})
    else:
        images = plural(written.images, "image")
        out(f'{images} written to "{asked.out}" in {plural(len(written.files), "file")}.')
    return 0


def _export_packed(path: Path, asked: Namespace) -> int:
    """Write the project with runs inside into one file, ``DIR/PROJECT.orgseg``."""
    from orgseg_app.files.atomic import megabytes
    from orgseg_app.files.packing import pack
    from orgseg_app.files.project_file import ProjectFile
    from orgseg_app.runs.packing import choose_runs, studies_left, to_pack

    runs = choose_runs(path, asked.runs)
    check_output_folder(asked.out)
    progress = Progress("Packing", quiet=asked.json)
    with ProjectFile.open(path, read_only=True) as project_file:
        packed = pack(
            project_file,
            asked.out / path.name,
            to_pack(path, runs, training=asked.training),
            overwrite=asked.overwrite,
            progress=progress.show,
        )
    progress.clear()
    assert packed is not None  # nobody gives up here
    for sentence in (*packed.notes, *studies_left(runs)):
        warn(sentence)
    if asked.json:
        facts = {"written": str(packed.path), "bytes": packed.size_bytes}
        out_json(facts | {"images": packed.images, "runs": [run.run_id for run in runs]})
    else:
        out(
            f"{packed.path}: {megabytes(packed.size_bytes)}, {plural(packed.images, 'image')}, "
            f"{plural(len(runs), 'run')}. The undo history is not inside."
        )
    return 0
