"""``verify``, ``backups``, ``restore``: what is damaged, what is kept, and bringing it back."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orgseg_app.commands.console import (
    CommandError,
    Progress,
    note,
    out,
    out_json,
    plural,
    table,
    warn,
)
from orgseg_app.commands.project import existing_project, project_path

if TYPE_CHECKING:
    from orgseg_app.core.edits.change import Change
    from orgseg_app.files.backups.backup import Backup
    from orgseg_app.files.backups.restore import Restoration
    from orgseg_app.files.backups.verify import Report
    from orgseg_app.files.project_file import ProjectFile


# -- verify --------------------------------------------------------------------------------------


def verify(asked: Namespace) -> int:
    """Read every block of a project and its backups, and name what is damaged."""
    from orgseg_app.files.backups.damage import summary
    from orgseg_app.files.backups.verify import verify as check

    path = existing_project(asked.project)
    progress = Progress("Checking", quiet=asked.json)

    def show(done: float, total: float, name: str) -> bool:
        progress.show(done, total, name)
        return True

    report = check(path, show)
    progress.clear()
    if asked.json:
        out_json(_as_json(report))
    elif not report.unopenable:
        for problem in report.damages:
            out(problem.sentence)
        for text in report.notes:
            warn(text)
    if report.unopenable:
        raise CommandError(f"{report.unopenable} {_what_backups_have(path, report.newest_backup)}")
    if not report.is_sound:
        raise CommandError(
            f'"{path.name}" is damaged in {summary(report.damages)}; everything else can be read '
            f"({plural(report.blocks, 'block')}). Keep a copy of the file. {_way_out(report)}"
        )
    if not asked.json:
        out(
            f'"{path.name}" is sound: {plural(report.images, "image")}, every block read '
            f"({report.blocks:,})."
        )
        out(_about_backups(report.backups))
    return 0


def _as_json(report: Report) -> dict[str, Any]:
    newest = report.newest_backup
    return {
        "project": str(report.path),
        "opens": not report.unopenable,
        "images": report.images,
        "sound_blocks": report.blocks,
        "bytes": report.bytes,
        "problems": [
            {
                "image": d.image,
                "id": d.image_id,
                "what": d.what,
                "problem": d.problem,
                "place": d.place,
                "plane": None if d.start is None else d.start[0],
                "block": None if d.block is None else list(d.block[1:]),
                "lost": not d.is_derived,
                "remedy": d.remedy,
            }
            for d in report.damages
        ],
        "notes": report.notes,
        "reason": report.unopenable,
        "newest_backup": newest.number if newest is not None else None,
        "backups": len(report.backups),
    }


def _way_out(report: Report) -> str:
    """What helps against the damage found."""
    kinds = {d.what for d in report.losses}
    advice = []
    if "image" in kinds:
        advice.append("Import the damaged images anew.")
    if kinds - {"image", "journal"}:
        newest = report.newest_backup
        if newest is not None:
            advice.append(f'Get masks back with: orgseg restore "{report.path}" {newest.number}.')
    return " ".join(advice)


def _about_backups(backups: list[Backup]) -> str:
    from orgseg_app.files.backups.verify import said_when

    good = [b for b in backups if not b.problem]
    if not good:
        return "There are no backups yet; one is made when the project is opened."
    return f"{plural(len(good), 'backup')}, the newest of {said_when(good[0])}."


def _what_backups_have(path: Path, newest: Backup | None) -> str:
    """What can be had of a project that cannot be opened."""
    from orgseg_app.files.backups.verify import said_when

    if newest is None:
        return "There is no backup of it."
    new = path.with_name(f"{path.stem} new{path.suffix}")
    return (
        f"Backup {newest.number} of {said_when(newest)} has the annotation of "
        f"{plural(len(newest.painted_images), 'image')}. Bring it onto the same images again: "
        f'orgseg new "{new}"; orgseg import "{new}" IMAGES; orgseg restore "{new}" "{newest.path}".'
    )


# -- backups -------------------------------------------------------------------------------------


def backups(asked: Namespace) -> int:
    """List the backups of a project, which need not be there any more."""
    from orgseg_app.files.backups.backup import backups_dir, list_backups

    path = project_path(asked.project)
    found = list_backups(path)
    if not found and not path.exists():
        existing_project(path)
    if asked.json:
        for item in found:
            out_json(_backup_facts(item))
        return 0
    if not found:
        out("There are no backups yet; one is made when the project is opened.")
        return 0
    rows = [["number", "made", "size", "painted", "voxels"]]
    for item in found:
        names = {c.class_id: c.name for c in item.classes}
        voxels = ", ".join(f"{names.get(i, i)} {count:,}" for i, count in item.voxels.items())
        size = f"{item.size_bytes / 1e6:.1f} MB"
        share = f"{len(item.painted_images)} of {len(item.images)}"
        made = item.made.replace("T", " ")[:16]
        rows.append([str(item.number), made, size, share, item.problem or voxels or "–"])
    out(table(rows, right=[0, 2, 3]))
    note(f"In {backups_dir(path)}; bring one back with: orgseg restore PROJECT NUMBER")
    return 0


def _backup_facts(item: Backup) -> dict[str, Any]:
    return {
        "number": item.number,
        "path": str(item.path),
        "made": item.made,
        "reason": item.reason,
        "bytes": item.size_bytes,
        "project": item.project_name,
        "uuid": item.project_uuid,
        "problem": item.problem,
        "classes": [{"id": c.class_id, "name": c.name, "colour": c.colour} for c in item.classes],
        "images": [
            {
                "id": image.image_id,
                "name": image.name,
                "split": image.split,
                "sha256": image.sha256,
                "voxels": {str(k): v for k, v in image.counts.items()},
                "damaged_blocks": len(image.damaged),
            }
            for image in item.images.values()
        ],
    }


# -- restore -------------------------------------------------------------------------------------


def restore(asked: Namespace) -> int:
    """Put the annotation of a backup back, as edits that undo takes away again."""
    from orgseg_app.files.backups import backing_up, backup
    from orgseg_app.files.backups.restore import restore as put_back
    from orgseg_app.files.errors import ProjectError
    from orgseg_app.files.project_file import ProjectFile
    from orgseg_app.files.store.lock import LockedError

    path = project_path(asked.project)
    chosen = backup.find_backup(path, asked.backup)
    if not path.exists():
        raise CommandError(f'There is no project "{path}". {_what_backups_have(path, chosen)}')
    try:
        project_file = ProjectFile.open(path)
    except LockedError:
        raise
    except ProjectError as error:
        raise CommandError(f"{error} {_what_backups_have(path, chosen)}") from error
    with project_file:
        if project_file.read_only:
            raise CommandError(f"{project_file.read_only_reason} Nothing was restored.")
        for text in project_file.notices:
            warn(text)
        image_ids = _image_ids(project_file, asked.images)
        project_file.save()  # the backup is made of what the file holds
        if problem := backing_up.try_backup(path, project_file.reading, backup.RESTORE):
            warn(problem)
        plan, changes = put_back(project_file, chosen, image_ids, with_facts=asked.facts)
        project_file.save()
        _tell(project_file, chosen, plan, changes, as_json=asked.json)
    return 0


def _image_ids(project_file: ProjectFile, names: list[str] | None) -> list[str] | None:
    if not names:
        return None
    by_name = {image.name: image_id for image_id, image in project_file.project.images.items()}
    unknown = [name for name in names if name not in by_name]
    if unknown:
        raise CommandError(
            f"The project has no image “{unknown[0]}”. Nothing was restored; "
            "orgseg info lists the names."
        )
    return [by_name[name] for name in names]


def _tell(
    project_file: ProjectFile,
    chosen: Backup,
    plan: Restoration,
    changes: list[Change],
    *,
    as_json: bool,
) -> None:
    images = project_file.project.images
    names = [images[i].name for i in (*(change.image_id for change in changes), *plan.lost)]
    facts = {
        "backup": chosen.number,
        "restored": names,
        "unchanged": [images[i].name for i in plan.read if images[i].name not in names],
        "objects": [images[i].name for i in plan.with_objects],
        "weights": [images[i].name for i in plan.with_weights],
        "classes_added": [c.name for c in plan.added_classes],
        "classes_renamed": [list(pair) for pair in plan.classes.renamed],
        "problems": plan.problems,
    }
    if as_json:
        out_json(facts)
        return
    for text in plan.problems:
        warn(text)
    for then, now in plan.classes.renamed:
        note(f"“{then}” in the backup is called “{now}” now.")
    if not names and not plan.with_objects and not plan.with_weights:
        out(f"Nothing differs from backup {chosen.number}.")
        return
    added = ", ".join(c.name for c in plan.added_classes)
    more = f" Classes added: {added}." if added else ""
    shown = ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
    out(
        f"Restored from backup {chosen.number}: {plural(len(names), 'mask')} ({shown}).{more} "
        "Undo in the window takes it back."
    )
