"""Writing reports: one file, whose suffix chooses the format, or a folder with all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from orgseg_app.files.errors import FileError
from orgseg_app.files.export import write_table, written
from orgseg_app.files.names import unique_names
from orgseg_app.files.workbook import Sheet, write_workbook
from orgseg_app.runs.errors import RunError
from orgseg_app.runs.process import write_json
from orgseg_app.runs.reporting.figures import Figure, figures_of
from orgseg_app.runs.reporting.model_card import ModelCard, to_markdown
from orgseg_app.runs.reporting.page import report_page
from orgseg_app.runs.reporting.report import Report
from orgseg_app.runs.reporting.study_page import study_page
from orgseg_app.runs.reporting.study_report import (
    StudyReport,
    ranking_rows,
    study_figures,
    study_sheets,
)
from orgseg_app.runs.reporting.tables import (
    PAIR_COLUMNS,
    SCORE_COLUMNS,
    pair_rows,
    score_rows,
    sheets_of,
)

SUFFIXES = (".html", ".xlsx", ".json", ".csv")

Rasterise = Callable[[str], bytes]
"""From an SVG drawing to a PNG file: the window's task, which has the means to draw."""

AnyReport = Report | StudyReport
Acts = list[tuple[Path, Callable[[Path], object]]]


def check_suffix(path: Path) -> None:
    """Refuse a file name whose suffix is no format of a report.

    Raises
    ------
    RunError
        With the suffixes that are.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise RunError(
            f'A report is written as .html, .xlsx, .json or .csv; "{path.name}" is none of these. '
            "Give the file one of these endings."
        )


def write_report(path: Path, report: AnyReport) -> Path:
    """Write a report as one file, replaced in one go when it exists.

    Parameters
    ----------
    path : Path
        ``.html`` (to read and print), ``.xlsx`` (all tables), ``.json`` (all there is) or ``.csv``
        (the scores; of a study, the ranking).
    report : Report or StudyReport

    Raises
    ------
    RunError
        For another suffix, or when the file cannot be written.
    """
    check_suffix(path)
    with _told(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        suffix = path.suffix.lower()
        if suffix == ".json":
            write_json(path, report.to_dict())
        elif suffix == ".csv":
            _write_csv(path, report)
        elif suffix == ".xlsx":
            write_workbook(path, _sheets(report), title=report.title, overwrite=True)
        else:
            _write_text(path, _page(report))
    return path


def write_report_folder(
    folder: Path,
    report: AnyReport,
    rasterise: Rasterise | None = None,
    *,
    progress: Callable[[int, int, str], bool] = lambda done, total, text: True,
) -> list[Path]:
    """Write a report in all formats, its figures and model cards, into a folder.

    Parameters
    ----------
    folder : Path
        Made when it is not there; files of an earlier report in it are replaced, others stay.
    report : Report or StudyReport
    rasterise : callable, optional
        Makes PNG files of the figures; without it they are SVG alone.
    progress : callable
        Called with files done, files in all and the next one's name; False stops before it.

    Returns
    -------
    list of Path
        The files, the page to read first.

    Raises
    ------
    RunError
        When something cannot be written.
    """
    stem = "study" if isinstance(report, StudyReport) else "comparison"
    figures = study_figures(report) if isinstance(report, StudyReport) else figures_of(report)
    acts: Acts = [
        (folder / "report.html", lambda path: write_report(path, report)),
        (folder / f"{stem}.xlsx", lambda path: write_report(path, report)),
        (folder / f"{stem}.json", lambda path: write_report(path, report)),
        (folder / f"{stem}.csv", lambda path: write_report(path, report)),
        (folder / "methods.txt", lambda path: _write_text(path, report.methods.text)),
    ]
    if isinstance(report, Report) and report.pairs:
        acts.append((folder / "pairs.csv", lambda path: _write_pairs(path, report)))
    acts += _figure_acts(folder / "figures", figures, rasterise)
    acts += _card_acts(folder / "model cards", report.cards)
    found = []
    for done, (path, act) in enumerate(acts):
        if not progress(done, len(acts), path.name):
            break
        with _told(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            act(path)
        found.append(path)
    return found


def _figure_acts(folder: Path, figures: Sequence[Figure], rasterise: Rasterise | None) -> Acts:
    acts: Acts = []
    for number, figure in enumerate(figures, 1):
        name = f"{number:02} {figure.name}"
        acts.append((folder / f"{name}.svg", partial(_write_svg, figure)))
        if rasterise is not None:
            acts.append((folder / f"{name}.png", partial(_write_png, figure, rasterise)))
    return acts


def _card_acts(folder: Path, cards: Sequence[ModelCard]) -> Acts:
    names = unique_names([card.name for card in cards])
    return [
        (folder / f"{name}.md", partial(_write_card, card))
        for name, card in zip(names, cards, strict=True)
    ]


def _write_svg(figure: Figure, path: Path) -> None:
    _write_text(path, figure.svg)


def _write_png(figure: Figure, rasterise: Rasterise, path: Path) -> None:
    _write_bytes(path, rasterise(figure.svg))


def _write_card(card: ModelCard, path: Path) -> None:
    _write_text(path, to_markdown(card))


def _page(report: AnyReport) -> str:
    return study_page(report) if isinstance(report, StudyReport) else report_page(report)


def _sheets(report: AnyReport) -> list[Sheet]:
    return study_sheets(report) if isinstance(report, StudyReport) else sheets_of(report)


def _write_csv(path: Path, report: AnyReport) -> None:
    if isinstance(report, StudyReport):
        rows = ranking_rows(report)
        write_table(path, rows, list(rows[0]) if rows else ["rank"], overwrite=True)
    else:
        write_table(path, score_rows(report), SCORE_COLUMNS, overwrite=True)


def _write_pairs(path: Path, report: Report) -> None:
    write_table(path, pair_rows(report.pairs), PAIR_COLUMNS, overwrite=True)


def _write_text(path: Path, text: str) -> None:
    _write_bytes(path, text.encode("utf-8", "replace"))


def _write_bytes(path: Path, data: bytes) -> None:
    with written(path, overwrite=True) as draft:
        draft.write_bytes(data)


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """What the disk refuses becomes one sentence."""
    try:
        yield
    except (OSError, FileError) as error:
        reason = (isinstance(error, OSError) and error.strerror) or str(error)
        raise RunError(
            f'The report could not be written to "{path}": {reason}. The scores are safe in the '
            "runs; choose another place."
        ) from error
