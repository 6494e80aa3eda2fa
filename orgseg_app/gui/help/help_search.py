"""Looking through the manual: words that begin so, titles first, each answer with its sentence.

No Qt. What is looked through are the pages and every term that carries a ``{#KEY}`` mark: a field
of a recipe, a score, a command, a word of the glossary.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from orgseg_app.gui.help.help_pages import ANCHOR

SYNONYMS: Mapping[str, tuple[str, ...]] = {
    "jaccard": ("iou",),
    "overlap": ("iou", "dice"),
    "f1": ("dice",),
    "f-score": ("dice", "f1"),
    "dsc": ("dice",),
    "label": ("mask", "class"),
    "labels": ("mask", "class"),
    "labelmap": ("mask",),
    "segmentation": ("mask",),
    "segment": ("mask",),
    "roi": ("outline", "object", "region"),
    "category": ("class",),
    "instance": ("object",),
    "instances": ("objects",),
    "frame": ("plane", "time"),
    "slice": ("plane",),
    "stack": ("volume",),
    "z-stack": ("volume",),
    "timelapse": ("time point",),
    "movie": ("time point",),
    "resolution": ("pixel size",),
    "scale": ("pixel size",),
    "sensitivity": ("recall",),
    "tpr": ("recall",),
    "ppv": ("precision",),
    "map": ("mean ap",),
    "auc": ("roc",),
    "hd95": ("hausdorff",),
    "assd": ("surface distance",),
    "rand": ("adapted rand", "adjusted rand"),
    "pvalue": ("wilcoxon", "holm"),
    "p-value": ("wilcoxon", "holm"),
    "significance": ("statistics", "wilcoxon"),
    "significant": ("statistics", "wilcoxon"),
    "iteration": ("step",),
    "iterations": ("steps",),
    "minibatch": ("patches per step",),
    "batch": ("patches per step",),
    "lr": ("learning rate",),
    "crop": ("patch",),
    "tile": ("patch", "tile"),
    "weights": ("weights", "checkpoint"),
    "architecture": ("network",),
    "model": ("model", "network"),
    "result": ("prediction",),
    "results": ("prediction", "comparing"),
    "inference": ("predict",),
    "output": ("prediction", "export"),
    "hyperparameter": ("recipe",),
    "hyperparameters": ("recipe",),
    "settings": ("setting", "recipe"),
    "config": ("recipe",),
    "experiment": ("run", "study"),
    "experiments": ("runs", "studies"),
    "gridsearch": ("study",),
    "sweep": ("study",),
    "cuda": ("graphics card",),
    "gpu": ("graphics card",),
    "nvidia": ("graphics card",),
    "vram": ("memory", "graphics card"),
    "ram": ("memory",),
    "oom": ("memory",),
    "crash": ("crash", "failed"),
    "error": ("went wrong", "failed", "error"),
    "hotkey": ("key", "shortcut"),
    "hotkeys": ("keys", "shortcuts"),
    "keybinding": ("shortcut",),
    "cli": ("command line",),
    "terminal": ("command line",),
    "script": ("command line",),
    "headless": ("command line",),
    "load": ("open", "import"),
    "drag": ("drop", "drag"),
    "autosave": ("saved",),
    "share": ("pack",),
    "email": ("mail",),
    "csv": ("table", "csv"),
    "excel": ("xlsx", "spreadsheet"),
    "watershed": ("flooding", "watershed"),
    "split": ("split", "divide"),
    "augment": ("augmentation",),
    "normalize": ("normalis", "preprocessing"),
    "normalization": ("normalis", "preprocessing"),
    "color": ("colour",),
    "optimizer": ("optimiser",),
    "finetune": ("train further",),
    "fine-tune": ("train further",),
    "transfer": ("train further",),
    "sam": ("object in a box",),
    "pen": ("pen", "brush"),
    "paintbrush": ("brush",),
    "bucket": ("fill",),
}
"""What people of the field also say → what the pages say."""

EXCERPT = 120
MOST_TERMS = 4
"""Terms of one page that are listed."""


@dataclass(frozen=True)
class Entry:
    """Something that can be found.

    Attributes
    ----------
    page, key
        Where: the page's name, and the place in it, "" for its beginning.
    title
        Of the page, or the term.
    within
        Title of the page a term stands on; "" for the page itself.
    text
        Plain words.
    """

    page: str
    key: str
    title: str
    within: str
    text: str

    @cached_property
    def folded(self) -> tuple[str, str]:
        """Title and text as they are looked through."""
        return _folded(self.title), _folded(self.text)


@dataclass(frozen=True)
class Found:
    """An answer.

    Attributes
    ----------
    entry
        What was found.
    score
        How well it answers; higher is better.
    excerpt
        A stretch of its text.
    marks
        (start, end) of the words that were found, in the excerpt.
    title_marks
        The same, in the title.
    """

    entry: Entry
    score: float
    excerpt: str
    marks: tuple[tuple[int, int], ...]
    title_marks: tuple[tuple[int, int], ...]

    @property
    def address(self) -> str:
        """As the help window goes there."""
        return f"{self.entry.page}#{self.entry.key}" if self.entry.key else self.entry.page


# -- reading pages -------------------------------------------------------------------------------


def plain(markdown: str) -> str:
    """Markdown as words: no marks, no addresses, no pictures.

    >>> plain("**Bold** {#bold} and [a way](pan) with `F`.")
    'Bold and a way with F.'
    """
    text = ANCHOR.sub("", markdown)
    text = re.sub(r"!\[[^\]]*\]\([^)]*\)", "", text)
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text)
    text = re.sub(r"^(#+|[-*]|\d+\.) +", "", text, flags=re.MULTILINE)
    return re.sub(r"[*`]", "", text).strip()


def entries_of(name: str, title: str, markdown: str) -> list[Entry]:
    """A page, and each term and heading on it that carries a mark."""
    found = [Entry(name, "", title, "", plain(markdown.partition("\n")[2]))]
    for line in markdown.splitlines():
        marks = ANCHOR.findall(line)
        if not marks or line.startswith("# "):
            continue
        head, _, rest = line.partition("{#")
        rest = ANCHOR.sub("", "{#" + rest)
        term = plain(head.strip()).rstrip(":")
        found.append(Entry(name, marks[0], term, title, plain(rest).lstrip(":. ")))
    return found


# -- looking -------------------------------------------------------------------------------------


def words_of(query: str) -> list[str]:
    """The words of a query, folded.

    >>> words_of("  Fill, the HOLES ")
    ['fill', 'the', 'holes']
    """
    return [word for word in re.split(r"[^\w-]+", _folded(query)) if word.strip("-")]


def meanings(word: str) -> tuple[str, ...]:
    """A word and what the pages say for it."""
    return (word, *(other for other in SYNONYMS.get(word, ()) if other != word))


def search(query: str, entries: Iterable[Entry]) -> list[Found]:
    """Entries that hold every word of a query, or what it also means; the best first.

    A word is found where a word of the text begins so. Titles count most, a title that is the query
    more than one that begins so; a page counts more than a term on it, and text by how often.
    """
    words = words_of(query)
    if not words:
        return []
    found = [answer for entry in entries if (answer := _answer(words, entry)) is not None]
    found.sort(key=lambda answer: -answer.score)
    kept: list[Found] = []
    terms: dict[str, int] = {}
    for answer in found:
        if answer.entry.key:
            terms[answer.entry.page] = terms.get(answer.entry.page, 0) + 1
            if terms[answer.entry.page] > MOST_TERMS:
                continue
        kept.append(answer)
    return kept


def _answer(words: list[str], entry: Entry) -> Found | None:
    title, text = entry.folded
    score = 0.0
    patterns = []
    in_title = False
    for word in words:
        best = 0.0
        for rank, meaning in enumerate(meanings(word)):
            pattern = _begins(meaning)
            worth = 1.0 if rank == 0 else 0.8
            count = len(pattern.findall(text))
            value = min(count, 20) * worth
            if pattern.search(title):
                in_title = True
                value += 200 * worth
            if value:
                patterns.append(pattern)
            best = max(best, value)
        if not best:
            return None
        score += best
    if entry.key and not in_title:
        return None
    whole = {" ".join(words), *(m for word in words[:1] if len(words) == 1 for m in meanings(word))}
    exact = " ".join(words)
    if title == exact:
        score += 400
    elif title in whole:
        score += 300
    elif title.startswith(exact):
        score += 150
    if in_title:  # the more of it was asked for, the better
        score += 100 * min(1.0, len(exact) / max(1, len(title)))
    score -= 40 * bool(entry.key)
    excerpt, marks = _excerpt(entry.text, text, patterns)
    return Found(entry, score, excerpt, marks, _places(entry.title, patterns))


def _begins(word: str) -> re.Pattern[str]:
    return re.compile(rf"(?<!\w){re.escape(word)}")


def _folded(text: str) -> str:
    """Small letters without accents, as many as before."""
    if text.isascii():
        return text.lower()
    return "".join(
        (unicodedata.normalize("NFD", letter)[0] if ord(letter) > 127 else letter).lower()[:1]
        for letter in text
    )


def _places(text: str, patterns: list[re.Pattern[str]]) -> tuple[tuple[int, int], ...]:
    """Where words begin that are looked for, each to its end, in order and apart."""
    folded = _folded(text)
    found = sorted(
        (match.start(), match.end() + _rest(folded, match.end()))
        for pattern in patterns
        for match in pattern.finditer(folded)
    )
    apart: list[tuple[int, int]] = []
    for start, end in found:
        if not apart or start >= apart[-1][1]:
            apart.append((start, end))
    return tuple(apart)


def _rest(text: str, place: int) -> int:
    found = re.match(r"\w*", text[place:])
    return found.end() if found else 0


def _excerpt(
    text: str, folded: str, patterns: list[re.Pattern[str]]
) -> tuple[str, tuple[tuple[int, int], ...]]:
    """A stretch of the text round the first word found; its beginning where there is none."""
    first = min((m.start() for p in patterns if (m := p.search(folded))), default=0)
    line_start = text.rfind("\n", 0, first) + 1
    start = max(line_start, first - EXCERPT // 2)
    if start > line_start:
        start = text.find(" ", start) + 1
    line_end = text.find("\n", first)
    line_end = len(text) if line_end < 0 else line_end
    end = min(line_end, start + EXCERPT)
    if end < line_end:
        end = max(text.rfind(" ", start, end), start + 1)
    part = text[start:end].strip()
    part = f"{'… ' * (start > line_start)}{part}{' …' * (end < line_end)}"
    return part, _places(part, patterns)
