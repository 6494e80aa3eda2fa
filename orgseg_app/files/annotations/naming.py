"""What imported images are called: their file name, with a folder where that is not enough."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence

from orgseg_app.files.annotations.listing import Entry
from orgseg_app.files.annotations.tokens import is_plain_role
from orgseg_app.files.readers.names import all_different, clean_name


def names_for(entries: Sequence[Entry]) -> list[str]:
    """A name for each image, no two the same.

    Images of one name are told apart by the folder they lie in, by train / validation / test, by
    all their folders, by their suffix, or in the end by a number.
    """
    names = [clean_name(entry.stem) for entry in entries]
    groups: dict[str, list[int]] = defaultdict(list)
    for n, name in enumerate(names):
        groups[name.casefold()].append(n)
    for members in groups.values():
        if len(members) > 1:
            for prefix in _PREFIXES:
                longer = [clean_name(f"{prefix(entries[n])} {entries[n].stem}") for n in members]
                if len({name.casefold() for name in longer}) == len(members):
                    for n, name in zip(members, longer, strict=True):
                        names[n] = name
                    break
    return all_different(names)


def _own_folders(entry: Entry) -> list[str]:
    return [f for f in entry.folders if not is_plain_role(f)]


def _last_folder(entry: Entry) -> str:
    return (_own_folders(entry) or [""])[-1]


def _all_folders(entry: Entry) -> str:
    return " ".join(_own_folders(entry))


def _split(entry: Entry) -> str:
    return entry.split or ""


def _suffix(entry: Entry) -> str:
    return entry.path.suffix.lower().lstrip(".")


_PREFIXES: tuple[Callable[[Entry], str], ...] = (_last_folder, _split, _all_folders, _suffix)
