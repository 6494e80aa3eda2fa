"""Reports: the same figures in all formats, marks where scores flatter, nothing that runs."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orgseg_app.core.metrics.class_groups import GROUP_SCORES
from orgseg_app.files.project_file import ProjectFile
from orgseg_app.runs.class_scores import EVERY_SCORE
from orgseg_app.runs.comparison import compare
from orgseg_app.runs.errors import RunError
from orgseg_app.runs.folder import RunFolder
from orgseg_app.runs.process import read_json, write_json
from orgseg_app.runs.recipes.presets import PRESETS
from orgseg_app.runs.remarks import Remarks, keep_remarks
from orgseg_app.runs.reporting.axes import span_of, tick_text
from orgseg_app.runs.reporting.examples import MISSED, RIGHT, TOO_MUCH, difference_picture
from orgseg_app.runs.reporting.figures import figures_of
from orgseg_app.runs.reporting.model_card import model_card, to_markdown
from orgseg_app.runs.reporting.page import report_page
from orgseg_app.runs.reporting.report import Report, make_report
from orgseg_app.runs.reporting.standing import standings
from orgseg_app.runs.reporting.svg import Drawing
from orgseg_app.runs.reporting.writing import write_report, write_report_folder
from tests.gui.recorded_runs import make_project, record_run
from tests.runs import reports_read

SPLITS = ("train", "train", "validation", *["test"] * 7)
EVIL = '<script>alert("1")</script> & =1+1'
WHOLE = ("mean_iou", "mean_dice", "accuracy", "background_iou", *GROUP_SCORES)
reports_read.by_class(EVERY_SCORE)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProjectFile]:
    """Two classes, seven test images; names as nasty as people may type them."""
    path = tmp_path_factory.mktemp("reports") / "Zellen ü <b>.orgseg"
    with make_project(path, class_names=("ER", EVIL), splits=SPLITS, side=32) as file:
        yield file


def runs_of(project: ProjectFile) -> list[RunFolder]:
    """Good, worse with an evil name, one that saw a test image, one that was refused."""
    good = record_run(project, "good", quality=0.9, seed=1)
    worse = record_run(project, EVIL, quality=0.7, seed=2, recipe=PRESETS["fast-bce"])
    leaky = record_run(project, "leaky", quality=0.99, seed=3)
    refused = record_run(project, "refused", quality=0.8, seed=4)
    first, second = [image.image_id for image in project.project.in_split("test")][:2]
    images = [
        dict(i) | ({"split": "train"} if i["id"] == first else {}) for i in leaky.request["images"]
    ]
    write_json(leaky.path / "request.json", leaky.request | {"images": images})
    metrics = read_json(refused.metrics_path) or {}
    kept = [entry for entry in metrics["images"] if entry["image_id"] != second]
    why = [{"image_id": second, "split": "test", "reason": "It learned from <this> scene."}]
    write_json(refused.metrics_path, metrics | {"images": kept, "refused": why})
    return [RunFolder(run.path) for run in (worse, good, leaky, refused)]


@pytest.fixture(scope="module")
def runs(project: ProjectFile) -> list[RunFolder]:
    return runs_of(project)


@pytest.fixture(scope="module")
def report(project: ProjectFile, runs: list[RunFolder]) -> Report:
    return make_report(compare(project, runs), runs, project_file=project)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, report: Report) -> Path:
    folder = tmp_path_factory.mktemp("written") / "a report"
    write_report_folder(folder, report, lambda svg: b"png of " + svg[:4].encode())
    return folder


def test_every_format_has_the_same_figures(folder: Path, report: Report) -> None:
    known = reports_read.of_json(folder / "comparison.json")
    names = {*EVERY_SCORE, *WHOLE}
    tables = {
        "csv": reports_read.rows_of_csv(folder / "comparison.csv"),
        "xlsx": reports_read.rows_of_sheet(folder / "comparison.xlsx", "scores"),
    }
    for title, rows in tables.items():
        found = reports_read.of_rows(rows, names)
        assert len(found) > 500, title
        for key, value in found.items():
            assert value == known.get(key) or value == pytest.approx(known[key], rel=1e-14), key
    # The other way round: what the JSON file holds by image and class is in the tables, too.
    found = reports_read.of_rows(tables["csv"], names)
    there = {k for k, v in known.items() if v is not None and k.split()[2:3] and _is_score(k)}
    assert there <= found.keys()

    page = reports_read.Page(folder / "report.html")
    checked = 0
    for key, shown in page.figures.items():
        if " card " in key or key.startswith("baseline"):
            continue
        for value, text in shown:
            assert value == known[key], key
            checked += 1
            if value is None:
                assert text == "–"
            else:
                places = len(text.partition(".")[2])
                assert float(text.replace("−", "-")) == pytest.approx(value, abs=0.51 / 10**places)
    assert checked > 150
    for run in report.comparison.runs:  # the very objects of the comparison
        assert run.pooled is not None
        assert page.figures[f"{run.run_id} pooled mean_iou"][0][0] == run.pooled.mean_iou
        for one in run.per_image:
            key = f"{run.run_id} {one.image_id} mean_iou"
            assert page.figures[key][0][0] == one.scores.mean_iou


def _is_score(key: str) -> bool:
    return key.split()[2] in {*EVERY_SCORE, *WHOLE}


def test_pairs_are_the_same_too(folder: Path) -> None:
    known = json.loads((folder / "comparison.json").read_text(encoding="utf-8"))["pairs"]
    tables = (
        reports_read.rows_of_csv(folder / "pairs.csv"),
        reports_read.rows_of_sheet(folder / "comparison.xlsx", "pairs"),
    )
    assert any(pair["verdict"] == "better" or pair["verdict"] == "worse" for pair in known)
    for rows in tables:
        assert len(rows) == len(known) == 6
        for row, pair in zip(rows, known, strict=True):
            assert (row["first_id"], row["second_id"]) == (pair["a"]["id"], pair["b"]["id"])
            assert row["verdict"] == pair["verdict"]
            for name in ("mean_difference", "p", "p_adjusted", "cohens_d", "rank_biserial"):
                value = pair.get(name)
                if value is None:
                    assert not row.get(name)
                else:
                    assert float(row[name]) == pytest.approx(value, rel=1e-14)


def test_what_flatters_is_marked_everywhere_and_not_ranked(folder: Path, report: Report) -> None:
    by_name = {entry.run.name: entry.standing for entry in report.entries}
    assert [by_name[name].rank for name in ("good", EVIL)] == [1, 2]
    assert by_name["leaky"].rank is None
    assert by_name["leaky"].sentence == "saw cell_04 while learning"
    assert by_name["refused"].rank is None
    assert by_name["refused"].sentence == "no honest score on cell_05"
    assert [entry.run.name for entry in report.entries][:2] == ["good", EVIL]

    kept = json.loads((folder / "comparison.json").read_text(encoding="utf-8"))
    ranks = {entry["name"]: entry["rank"] for entry in kept["ranking"]}
    assert ranks == {"good": 1, EVIL: 2, "leaky": None, "refused": None}
    for rows in (
        reports_read.rows_of_csv(folder / "comparison.csv"),
        reports_read.rows_of_sheet(folder / "comparison.xlsx", "scores"),
    ):
        leaked = {(row["run"], row["image"]) for row in rows if row.get("leaked") == "yes"}
        assert leaked == {("leaky", "cell_04"), ("leaky", "(pooled)")}
        assert [row["run"] for row in rows if row.get("refused")] == ["refused"]
        assert not any(row.get("rank") for row in rows if row["run"] in ("leaky", "refused"))
    page = reports_read.Page(folder / "report.html")
    assert "Not ranked: saw cell_04 while learning." in page.text
    assert "Not ranked: no honest score on cell_05." in page.text
    assert "1.000†" in page.text or re.search(r"0\.\d{3}†", page.text)
    assert "✕" in page.text
    assert "It learned from <this> scene." in page.text
    assert page.text.index("Before you believe it") < page.text.index("Mean Dice")
    drawn = (folder / "figures" / "01 scores.svg").read_text(encoding="utf-8")
    assert "cell_04: " in drawn
    assert "(seen while learning)" in drawn
    assert drawn.index("Not ranked") > drawn.index("good")


def test_what_was_painted_anew_is_marked(tmp_path: Path) -> None:
    with make_project(tmp_path / "p.orgseg", splits=SPLITS[:5], side=32) as file:
        run = record_run(file, "old", quality=0.9)
        first = file.project.in_split("test")[0]
        file.mask(first.image_id).write(0, 0, 0, np.full((8, 8), 2, np.uint8))
        file.touch_mask(first.image_id)
        report = make_report(compare(file, [run]), [run], project_file=file)
        assert report.entries[0].standing.reasons == (f"{first.name} changed since it was scored",)
        write_report(tmp_path / "r.html", report)
        write_report(tmp_path / "r.csv", report)
    page = reports_read.Page(tmp_path / "r.html")
    assert "‡" in page.text
    assert "No run can be ranked" in page.text
    rows = reports_read.rows_of_csv(tmp_path / "r.csv")
    assert {row["image"] for row in rows if row["outdated"] == "yes"} == {first.name, "(pooled)"}
    assert not any(row["rank"] for row in rows)


def test_a_page_needs_nothing_and_runs_nothing(folder: Path, report: Report) -> None:
    page = reports_read.Page(folder / "report.html")
    assert not {"script", "link", "iframe", "object", "form"} & set(page.tags)
    for name, value in page.attributes:
        assert not name.startswith("on")
        if name in ("src", "href", "data", "action"):
            assert str(value).startswith("data:image/png;base64,")
    assert EVIL in page.text  # shown as it was typed
    assert page.tags.count("img") == 4 * len(report.examples) == 4 * 2 * 2
    assert page.tags.count("svg") == len(figures_of(report))
    assert "@page" in (folder / "report.html").read_text(encoding="utf-8")


def test_all_that_a_folder_holds(folder: Path, report: Report) -> None:
    drawn = sorted(path.name for path in (folder / "figures").iterdir())
    assert len(drawn) == 2 * len(figures_of(report))
    for path in (folder / "figures").glob("*.svg"):
        root = ElementTree.fromstring(path.read_text(encoding="utf-8"))
        assert root.tag == "{http://www.w3.org/2000/svg}svg"
        assert float(str(root.get("width"))) > 100
    assert (folder / "figures" / "01 scores.png").read_bytes() == b"png of <svg"
    cards = {path.name: path.read_text(encoding="utf-8") for path in folder.glob("model cards/*")}
    assert len(cards) == 4
    assert "good.md" in cards
    (evil,) = [text for text in cards.values() if text.startswith("# \\<script")]
    assert "<script" not in evil.replace("\\<script", "")
    methods = (folder / "methods.txt").read_text(encoding="utf-8")
    for words in (
        "10 images were used, 32 × 32 voxels in 1 channel",
        "The loss was soft IoU (“good”, “leaky”, “refused”); binary cross-entropy (",
        "percentile range (low 1, high 99.8)",
        "U-Net (depth 3, width 16)",
        "400 steps of 8 patches of 128 × 128 voxels",
        "seed 0",
        "CPU · 2 threads · bf16",
        "Ronneberger",
        "Wilcoxon",
        "Holm",
    ):
        assert words in methods or words.replace("”, “refused”", "") in methods, words


def test_a_model_card_says_where_data_and_limits_are(report: Report, runs: list[RunFolder]) -> None:
    card = next(card for card in report.cards if card.name == "leaky")
    facts = json.loads(json.dumps(card.to_dict()))
    (run,) = [run for run in runs if run.name == "leaky"]
    noted = {
        (str(i["sha256"]).removeprefix("sha256:"), str(i["mask_sha256"]).removeprefix("sha256:"))
        for i in run.request["images"]
    }
    assert {(i["image_sha256"], i["mask_sha256"]) for i in facts["images"]} == noted
    assert all(re.fullmatch("[0-9a-f]{64}", i["image_sha256"]) for i in facts["images"])
    assert facts["made"]["Seed"] == "0"
    assert facts["made"]["Made by"].startswith("OrgSeg ")
    assert facts["made"]["Parameters"] == "481,234"
    assert facts["settings"]["Steps"] == "400"
    assert facts["settings"]["Loss"] == "soft_iou"
    assert any("not ranked with others': saw cell_04" in text for text in facts["limits"])
    assert any("It learned from 3 images" in text for text in facts["limits"])
    assert "Note" not in facts["made"]
    bare = RunFolder.create(run.path.parent, name="|bare| *x*", kind="train")
    keep_remarks(bare, Remarks(note="blurred | twice"))
    text = to_markdown(model_card(bare, None, None))
    assert "| Note | blurred \\| twice |" in text
    assert text.startswith("# \\|bare\\| \\*x\\*\n")


def test_what_cannot_be_written_is_said(tmp_path: Path, report: Report) -> None:
    with pytest.raises(RunError, match=r"\.html, \.xlsx, \.json or \.csv"):
        write_report(tmp_path / "r.pdf", report)
    (tmp_path / "file").write_text("in the way")
    for name in ("r.html", "r.xlsx", "r.json", "r.csv"):
        with pytest.raises(RunError, match="The scores are safe in the runs"):
            write_report(tmp_path / "file" / name, report)
    said: list[str] = []

    def stop_at_third(done: int, total: int, text: str) -> bool:
        said.append(text)
        return done < 2

    written = write_report_folder(tmp_path / "half", report, progress=stop_at_third)
    assert [path.name for path in written] == ["report.html", "comparison.xlsx"]
    assert said[2] == "comparison.json"


def test_seeds_are_put_together(tmp_path: Path) -> None:
    with make_project(tmp_path / "p.orgseg", class_names=("ER", EVIL), splits=SPLITS, side=32) as f:
        runs = [record_run(f, "other", quality=0.8, seed=9, recipe=PRESETS["fast-bce"])]
        for seed, quality in enumerate((0.95, 0.6, 0.85), 1):
            recipe = msgspec.structs.replace(PRESETS["fast"], seed=seed)
            name = f"fast seed {seed} of 3"
            runs.append(record_run(f, name, quality=quality, seed=seed, recipe=recipe))
        report = make_report(compare(f, runs), runs, project_file=f, with_pictures=False)
        alone = make_report(compare(f, runs[:2]), runs[:2], project_file=f, with_pictures=False)
    for name in ("r.html", "r.json", "r.xlsx", "r.csv"):
        write_report(tmp_path / name, report)
    scores = {e.run.name: e.run.pooled.mean_iou for e in report.entries if e.run.pooled}
    seeds = [value or 0.0 for name, value in scores.items() if name.startswith("fast")]
    assert len(seeds) == 3
    together = next(one for one in report.repeated if one.mean_iou.count == 3)
    assert together.name == "fast (3 seeds)"
    assert together.mean_iou.mean == pytest.approx(sum(seeds) / 3)
    assert (together.mean_iou.lowest, together.mean_iou.highest) == (min(seeds), max(seeds))
    means = {"fast (3 seeds)": sum(seeds) / 3, "other": scores["other"] or 0.0}
    best_first = sorted(means, key=lambda name: -means[name])
    assert [one.name for one in report.repeated] == best_first  # not as their best seeds stand
    assert report.entries[0].run.name == "fast seed 1 of 3"

    known = reports_read.of_json(tmp_path / "r.json")
    page = reports_read.Page(tmp_path / "r.html")
    shown = {of: values for of, values in page.figures.items() if " repeats " in of}
    assert len(shown) == 2 * 6 + 2  # of a single run there is no range
    assert all(value == known[of] for of, values in shown.items() for value, _ in values)
    assert "Its training was repeated with 3 seeds" in page.text
    rows = reports_read.rows_of_sheet(tmp_path / "r.xlsx", "repeats")
    assert [row["training"] for row in rows] == best_first
    row = rows[best_first.index(together.name)]
    assert (row["seeds"], float(row["mean_iou lowest"])) == ("3", pytest.approx(min(seeds)))
    assert alone.repeated == ()  # nothing was repeated
    assert "Seeds" not in report_page(alone)


def test_equal_scores_share_a_rank(tmp_path: Path) -> None:
    with make_project(tmp_path / "p.orgseg", splits=("train", "test"), side=24) as file:
        twins = [record_run(file, name, quality=0.8, seed=9) for name in "ab"]
        worse = record_run(file, "c", quality=0.3, seed=9)
        silent = record_run(file, "silent", end="failed")
        stands = standings(compare(file, [*twins, worse, silent]))
    assert [one.rank for one in stands.values()] == [1, 1, 3, None]
    assert stands[silent.run_id].reasons == ("no scores (failed)",)


def test_a_difference_says_who_is_wrong() -> None:
    truth = np.array([[2, 2, 1, 0]], np.uint8)
    predicted = np.array([[2, 1, 2, 2]], np.uint8)
    png = difference_picture(truth, predicted)
    cv2 = pytest.importorskip("cv2")
    blue_green_red = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR)
    shown = [tuple(int(x) for x in pixel[::-1]) for pixel in blue_green_red[0]]
    assert shown[:3] == [RIGHT, MISSED, TOO_MUCH]


@given(st.lists(st.floats(-50, 50), min_size=1, max_size=9))
def test_an_axis_holds_all_values(values: list[float]) -> None:
    low, high = span_of(values)
    assert low <= min(values) <= max(values) <= high
    assert math.isfinite(low)
    assert low < high


def test_ticks_have_the_digits_they_need() -> None:
    assert [tick_text(t, [-0.05, 0.0, 0.05]) for t in (-0.05, 0.0)] == ["−0.05", "0"]
    assert tick_text(2000.0, [1000.0, 2000.0]) == "2,000"


def test_any_text_makes_a_drawing_that_can_be_read() -> None:
    drawing = Drawing(90, 20, 'a "title" <')
    drawing.text(1, 1, "\x00\x0b\ud800 <&>'\" \ufffe")
    root = ElementTree.fromstring(drawing.to_svg())
    (text,) = root.iter("{http://www.w3.org/2000/svg}text")
    assert text.text == " <&>'\" "
