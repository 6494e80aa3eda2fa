"""Where runs disagree: found, gone to, and shown small in the list of images."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pytestqt.qtbot import QtBot

from orgseg_app.files.errors import FileError
from orgseg_app.files.predictions import Prediction, read_predicted_planes, write_predictions
from orgseg_app.files.project_file import NewImage
from orgseg_app.gui.canvas import difference
from orgseg_app.gui.comparing.disagreements import Finder, Question
from orgseg_app.gui.comparing.image_scores import BY_NAME, BY_VOXELS, DOWN, UP
from orgseg_app.gui.comparing.image_strip import ImageStrip
from orgseg_app.gui.comparing.pane_data import PredictionReader, TruthReader
from tests.gui.compared_runs import SIDE, Compared, record
from tests.gui.recorded_runs import opened_image


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """To be copied."""
    folder = tmp_path_factory.mktemp("recorded")
    record(folder)
    return folder


@pytest.fixture
def compared(recorded: Path, tmp_path: Path, qtbot: QtBot) -> Iterator[Compared]:
    compared = Compared(shutil.copytree(recorded, tmp_path / "copy"), qtbot)
    yield compared
    compared.session.close_project()
    compared.session.background.wait()


# -- where they disagree ---------------------------------------------------------------------------


@given(st.integers(0, 2**32 - 1), st.integers(1, 14), st.integers(1, 14))
@settings(max_examples=30)
def test_regions_are_those_that_scipy_finds(seed: int, height: int, width: int) -> None:
    from scipy import ndimage

    where = np.random.default_rng(seed).random((height, width)) < 0.4
    found = difference.regions(where, z=3)
    numbers, count = ndimage.label(where, np.ones((3, 3)))
    boxes = ndimage.find_objects(numbers)
    wanted = {
        (int((numbers == n + 1).sum()), *((s.start, s.stop) for s in boxes[n]))
        for n in range(count)
    }
    assert {(r.voxels, (r.y0, r.y1), (r.x0, r.x1)) for r in found} == wanted
    assert len(found) == count
    sizes = [region.voxels for region in found]
    assert sizes == sorted(sizes, reverse=True)
    assert all(region.z == 3 for region in found)


@given(st.integers(0, 2**32 - 1), st.sampled_from([None, 1, 2, 3]))
@settings(max_examples=30)
def test_differences_are_as_a_slow_look_says(seed: int, class_id: int | None) -> None:
    random = np.random.default_rng(seed)
    truth, a, b = random.integers(0, 4, (3, 5, 7), dtype=np.uint8)
    judged = difference.difference(truth, a, class_id)
    disputed = difference.disagreement([a, b], class_id)
    for place in np.ndindex(5, 7):
        t, p = int(truth[place]), int(a[place])
        of_class = [n > 1 if class_id is None else n == class_id for n in (t, p)]
        if t == 0:
            wanted = difference.UNJUDGED
        elif of_class == [True, True]:
            wanted = difference.AGREES if t == p else difference.TOO_MUCH
        elif of_class[1]:
            wanted = difference.TOO_MUCH
        else:
            wanted = difference.MISSED if of_class[0] else difference.RIGHT_OUTSIDE
        assert judged[place] == wanted
        same = a[place] == b[place]
        if class_id is not None:
            same = (a[place] == class_id) == (b[place] == class_id)
        assert disputed[place] == (not same)


def test_from_the_largest_disagreement_to_the_next(compared: Compared) -> None:
    compared.show(3)
    view = compared.view
    guesses = [compared.guess(n) for n in range(3)]
    wanted = difference.regions(difference.disagreement(guesses))
    for number, region in enumerate([*wanted, wanted[0]][:3]):
        view.foot.next_button.click()
        compared.qtbot.waitUntil(lambda number=number: f"ent {number + 1} of" in view.walk.words)
        assert view.walk.region == region
        state = view.panes[0].view_state()
        assert (state.y, state.x) == ((region.y0 + region.y1) / 2, (region.x0 + region.x1) / 2)
        assert all(pane.marked == region for pane in view.panes)
    assert view.foot.words.whole_text().startswith(f"Disagreement 3 of {len(wanted)} · ")
    compared.show(3, class_name="ER")
    assert view.walk.region is None
    assert view.panes[0].marked is None


def test_from_error_to_error_of_the_run_with_the_keyboard(compared: Compared) -> None:
    compared.show(3)
    view = compared.view
    view.activateWindow()
    view.panes[1].setFocus()
    compared.qtbot.waitUntil(view.panes[1].hasFocus)
    view.next_error()
    compared.qtbot.waitUntil(lambda: view.walk.region is not None)
    judged = difference.difference(compared.truths[compared.image_id][0], compared.guess(1))
    assert view.walk.region == difference.regions(difference.is_wrong(judged))[0]
    assert view.foot.words.whole_text().startswith("Error 1 of ")


def test_runs_that_agree_everywhere(compared: Compared) -> None:
    twin = replace(compared.rows[0], run_id="twin")
    compared.show(2, rows=[compared.rows[0], twin])
    compared.view.next_disagreement()
    compared.settle()
    assert "agree everywhere" in compared.view.foot.words.whole_text()
    (compared.folder / "run 0.h5").unlink()
    compared.show(2, rows=[compared.rows[0], twin])
    compared.view.next_disagreement()
    assert "has a prediction" in compared.said[-1]


def test_a_disagreement_on_another_plane_is_gone_to(compared: Compared) -> None:
    truth = np.zeros((4, 20, 24), np.uint8)
    truth[1] = 2
    file = compared.session.file
    assert file is not None
    pixels = np.zeros(truth.shape, np.uint16)
    image = file.add_images([NewImage(opened_image("stack", pixels), "test", truth)])[0]
    guess = np.maximum(truth, 1)
    other = guess.copy()
    other[3, 5:9, 6:10] = 2
    for row, mask in zip(compared.rows, (guess, other), strict=False):
        write_predictions(row.predictions_path, [Prediction(image.image_id, mask)])
    compared.names[image.image_id] = "stack"
    compared.image_id = image.image_id
    compared.show(2)
    assert compared.view.data is not None
    assert compared.view.data.z == compared.view.plane.value() == 1  # the painted one
    compared.view.next_disagreement()
    compared.qtbot.waitUntil(lambda: compared.view.plane.value() == 3 and not compared.view._task)
    assert compared.view.data.z == 3
    assert compared.view.panes[0].marked == difference.Region(3, 16, 5, 6, 9, 10)


def test_a_search_can_be_stopped(compared: Compared) -> None:
    assert compared.session.file is not None
    question = Question(compared.image_id, tuple(compared.rows[:2]), None)
    readers = PredictionReader(), TruthReader()
    finder = Finder(compared.session.file, *readers, stop=lambda: True)
    assert finder.regions(question) == []
    assert finder.facts(question, 80) is None


# -- reading ---------------------------------------------------------------------------------------


def test_predictions_are_read_once_until_they_are_written_anew(
    compared: Compared, monkeypatch: pytest.MonkeyPatch
) -> None:
    from orgseg_app.files import predictions

    reads: list[str] = []
    read = predictions.read_predicted_planes

    def counted(path: Path, *place: object) -> np.ndarray:
        reads.append(path.name)
        return read(path, *place)  # type: ignore[arg-type]

    monkeypatch.setattr(predictions, "read_predicted_planes", counted)
    reader, row = PredictionReader(), compared.rows[0]
    shape = (1, SIDE, SIDE)
    for _ in range(3):
        plane = reader.plane(row, compared.image_id, 0, shape)
    assert reads == ["run 0.h5"]
    assert np.array_equal(plane, compared.guess(0))
    other = np.full(shape, 2, np.uint8)
    write_predictions(row.predictions_path, [Prediction(compared.image_id, other)])
    assert np.array_equal(reader.plane(row, compared.image_id, 0, shape), other[0])
    small = reader.plane(row, compared.image_id, 0, (1, SIDE, SIDE + 1))
    assert isinstance(small, str)
    assert "another size" in small


def test_no_more_is_kept_than_there_is_room_for(compared: Compared) -> None:
    reader = PredictionReader(2 * SIDE * SIDE)
    for row in compared.rows:
        reader.plane(row, compared.image_id, 0, (1, SIDE, SIDE))
    assert [key[0] for key in reader._kept] == [str(r.predictions_path) for r in compared.rows[-2:]]


def test_planes_that_are_not_there_are_refused(compared: Compared) -> None:
    path = compared.rows[0].predictions_path
    for image_id, z0, z1 in ((compared.image_id, 0, 2), ("nothing", 0, 1)):
        with pytest.raises(FileError):
            read_predicted_planes(path, image_id, z0, z1)


# -- the list of images ----------------------------------------------------------------------------


def test_the_list_shows_what_is_disputed_and_sorts_by_it(
    compared: Compared, monkeypatch: pytest.MonkeyPatch
) -> None:
    strip = ImageStrip(compared.session)
    compared.qtbot.addWidget(strip)
    strip.show()
    strip.set_runs(compared.names, compared.rows[:2], "")
    scores = strip.table.scores
    compared.qtbot.waitUntil(lambda: all(scores.facts_of(i) for i in compared.names))
    counts = {}
    for image_id in compared.names:
        compared.image_id = image_id
        counts[image_id] = int((compared.guess(0) != compared.guess(1)).sum())
        facts = scores.facts_of(image_id)
        assert facts is not None
        assert facts.voxels == counts[image_id]
        assert facts.thumbnail is not None
        assert facts.thumbnail.shape == (80, 80, 4)
        yellow = (facts.thumbnail[..., 0] < 120) & (facts.thumbnail[..., 1] > 130)
        assert yellow.any()
    strip.sort_by(BY_VOXELS, DOWN)
    assert [counts[i] for i in scores.image_ids] == sorted(counts.values(), reverse=True)
    assert strip.sorting.currentText() == "Most voxels that differ"
    strip.sorting.setCurrentIndex(strip.sorting.findText("Name"))
    assert scores.sorted_by == (BY_NAME, UP)

    def refuse(*_: object) -> None:
        raise AssertionError("it was known")

    monkeypatch.setattr(Finder, "facts", refuse)
    strip.set_runs(compared.names, compared.rows[:2], "ER")
    strip.set_runs(compared.names, compared.rows[:2], "")
    compared.qtbot.waitUntil(lambda: all(scores.facts_of(i) for i in compared.names))
    assert strip.loader.is_idle


def test_of_one_run_the_list_shows_what_is_wrong(compared: Compared) -> None:
    strip = ImageStrip(compared.session)
    compared.qtbot.addWidget(strip)
    strip.show()
    strip.set_runs(compared.names, compared.rows[:1], "ER")
    scores = strip.table.scores
    compared.qtbot.waitUntil(lambda: scores.facts_of(compared.image_id) is not None)
    truth = compared.truths[compared.image_id][0]
    wrong = difference.is_wrong(difference.difference(truth, compared.guess(0), 2)).sum()
    assert scores.voxel_words(compared.image_id) == f"{wrong} wrong"
    assert "Lowest score" in [strip.sorting.itemText(n) for n in range(strip.sorting.count())]
