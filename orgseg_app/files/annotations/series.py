"""Numbered pictures that are the planes of one volume: found, named, put together.

Whether they are, only the person knows: `find_series` says what could be, `as_volumes` does it.
"""

from __future__ import annotations

import itertools
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from orgseg_app.files.annotations.source import AnnotationSource
from orgseg_app.files.annotations.tokens import is_plain_role, words
from orgseg_app.files.readers.names import all_different, clean_name, stem_of

if TYPE_CHECKING:
    from orgseg_app.files.annotations.plan import ImportItem, ImportPlan

NAME = "series"
MIN_PLANES = 3
"""Fewer numbered pictures are not asked about."""

PLANE_WORDS = frozenset({"z", "slice", "slices", "section", "sections", "plane", "planes", "page"})
"""Words before a number that say it counts planes."""

_OTHER_WORDS = frozenset(
    {
        *("t", "time", "timepoint", "frame"),
        *("c", "ch", "channel", "w"),
        *("h", "x", "y", "row", "col", "r"),
        *("field", "fov", "pos", "position"),
    }
)
"""Words before a number that say it counts something else."""
MAX_MISSING = 0.25
"""Share of the planes that may be missing in between."""

_NUMBER = re.compile(r"\d+")
_POSITIONS = (-1, -2, 0)
_EDGES = " _-.,+()[]"
_LISTED = 5


@dataclass(frozen=True)
class Series:
    """Pictures that could be the planes of one volume.

    Attributes
    ----------
    name
        What the volume will be called.
    items
        The planes in order.
    numbers
        Of the planes, ascending.
    is_likely
        True if names or folders say that these are planes.
    """

    name: str
    items: tuple[ImportItem, ...]
    numbers: tuple[int, ...]
    is_likely: bool

    @property
    def missing(self) -> tuple[int, ...]:
        """Numbers left out, at the step that most planes have."""
        return tuple(_missing(self.numbers))


def find_series(items: Sequence[ImportItem]) -> list[Series]:
    """Single-plane pictures of one folder, size and number type whose names differ in a number."""
    left = [item for item in items if _is_plane(item)]
    groups: list[tuple[str, list[tuple[int, ImportItem]]]] = []
    for position in _POSITIONS:
        by_name: dict[tuple[object, ...], list[tuple[int, ImportItem]]] = defaultdict(list)
        for item in left:
            key, number = _key(item, position)
            if number >= 0:
                by_name[key].append((number, item))
        for key, members in by_name.items():
            numbers = [number for number, _ in members]
            # In a tree of splits, two numbered planes may be all that one of them has.
            least = 2 if key[1] is not None and key[-1] == "#" else MIN_PLANES
            is_series = len(members) >= least and len(set(numbers)) == len(numbers)
            if is_series and len(_missing(sorted(numbers))) <= MAX_MISSING * len(numbers):
                groups.append((str(key[-1]), sorted(members, key=lambda m: m[0])))
        taken = {id(item) for _, members in groups for _, item in members}
        left = [item for item in left if id(item) not in taken]
    in_tree = _is_cut_into_splits(groups)
    order = {id(item): n for n, item in enumerate(items)}
    groups.sort(key=lambda group: order[id(group[1][0][1])])
    names = all_different([_name(pattern, members[0][1]) for pattern, members in groups])
    return [
        Series(
            name,
            tuple(item for _, item in members),
            tuple(number for number, _ in members),
            in_tree or _says_plane(pattern),
        )
        for name, (pattern, members) in zip(names, groups, strict=True)
    ]


def as_volumes(plan: ImportPlan) -> ImportPlan:
    """The same plan with each of its series as one volume.

    Its annotation is that of its planes; a plane without one stays unlabelled.
    """
    first = {id(series.items[0]): series for series in plan.series}
    others = {id(item) for series in plan.series for item in series.items}
    items: list[ImportItem] = []
    for item in plan.items:
        if id(item) in first:
            items.append(_volume(first[id(item)]))
        elif id(item) not in others:
            items.append(item)
    for item, name in zip(items, all_different([item.name for item in items]), strict=True):
        item.name = name
    notes = [*plan.notes, *(note for s in plan.series for note in _gap_notes(s))]
    return replace(plan, items=items, series=[], notes=notes)


def _volume(series: Series) -> ImportItem:
    annotated = [item.annotation for item in series.items if item.annotation]
    annotation = None
    if annotated:
        paths = tuple(path for source in annotated for path in source.paths)
        annotation = AnnotationSource(
            NAME, paths, meaning=annotated[0].meaning, values=annotated[0].values
        )
    problems = [item.problem for item in series.items if item.problem]
    more = f" And {len(problems) - 1} more planes." if len(problems) > 1 else ""
    return replace(
        series.items[0],
        name=series.name,
        annotation=annotation,
        weights=None,
        planes=series.items,
        problem=f"{problems[0]}{more}" if problems else None,
        duplicate_of=None,
    )


def _gap_notes(series: Series) -> list[str]:
    missing = series.missing
    if not missing:
        return []
    listed = ", ".join(map(str, missing[:_LISTED])) + (" …" if len(missing) > _LISTED else "")
    planes = "plane is" if len(missing) == 1 else "planes are"
    return [
        f"“{series.name}”: {len(missing)} {planes} missing (number {listed}); the planes on either "
        "side become neighbours."
    ]


def _missing(numbers: Sequence[int]) -> list[int]:
    """Numbers left out of ascending ones; no more than tell that it is no series."""
    pairs = list(itertools.pairwise(numbers))
    step = Counter(b - a for a, b in pairs).most_common(1)[0][0]
    left_out: list[int] = []
    for a, b in pairs:
        left_out += itertools.islice(range(a + step, b, step), len(numbers) + 1)
        if len(left_out) > len(numbers):
            break
    return left_out


def _is_plane(item: ImportItem) -> bool:
    header = item.header
    return item.is_readable and header is not None and header.planes == 1 and not item.planes


def _key(item: ImportItem, position: int) -> tuple[tuple[object, ...], int]:
    """What pictures of one series share, and the number of this one; -1 without a number."""
    stem = stem_of(item.image_path)
    numbers = list(_NUMBER.finditer(stem))
    if not numbers or not -len(numbers) <= position < len(numbers):
        return (), -1
    match = numbers[position]
    if len(match.group()) > 12:
        return (), -1
    pattern = f"{stem[: match.start()]}#{stem[match.end() :]}"
    before = words(stem[: match.start()])[-1:]
    if before and before[0] in _OTHER_WORDS:
        return (), -1
    assert item.header is not None
    size = (item.header.height, item.header.width, item.header.dtype)
    suffix = item.image_path.suffix.lower()
    return (item.image_path.parent, item.split, suffix, size, pattern), int(match.group())


def _says_plane(pattern: str) -> bool:
    """True for ``stack_z#``, ``slice #``: a word before the number says what it counts."""
    before = words(pattern.partition("#")[0])
    return bool(before) and before[-1] in PLANE_WORDS


def _is_cut_into_splits(groups: Sequence[tuple[str, list[tuple[int, ImportItem]]]]) -> bool:
    """True for one stack shared out among train, valid and test, as in SNEMI3D_mito.

    Names are numbers, and the numbers of the folders follow each other without overlap.
    """
    if len(groups) < 2 or any(pattern != "#" for pattern, _ in groups):
        return False
    splits = [members[0][1].split for _, members in groups]
    if None in splits or len(set(splits)) != len(splits):
        return False
    numbers = sorted(number for _, members in groups for number, _ in members)
    if numbers[-1] - numbers[0] != len(numbers) - 1 or len(set(numbers)) != len(numbers):
        return False
    return all(m[-1][0] - m[0][0] == len(m) - 1 for _, m in groups)


def _name(pattern: str, item: ImportItem) -> str:
    """The names without their number; those of folders where nothing is left."""
    before, _, after = pattern.partition("#")
    tokens = before.strip(_EDGES)
    last = words(tokens)[-1:]
    if last and last[0] in PLANE_WORDS:
        tokens = tokens[: len(tokens) - len(last[0])].strip(_EDGES)
    name = f"{tokens} {after.strip(_EDGES)}".strip()
    if not name:
        folders = [p.name for p in item.image_path.parents if p.name]
        own = [f for f in folders[:3] if not is_plain_role(f)]
        name = " ".join([*own[:1], item.split or ""]).strip() or (folders or ["volume"])[0]
    return clean_name(name, fallback="volume")
