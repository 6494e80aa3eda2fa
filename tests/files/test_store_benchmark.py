"""The store's benchmark runs, and its figures are about what they say (small and quick here)."""

from __future__ import annotations

import argparse
import sqlite3

import numpy as np
import pytest

from orgseg_app.files.project_file import ProjectFile
from orgseg_app.files.store import journal
from tests.benchmarks import run, store, store_projects


def test_every_figure_is_measured(tmp_path, monkeypatch):
    for name, value in {
        "COMMITS": 20,
        "ROUNDS": 1,
        "FOLDED": 4,
        "OPENINGS": 1,
        "OPENED": (("window", True),),
        "TILES": 5,
    }.items():
        monkeypatch.setattr(store, name, value)
    options = argparse.Namespace(size=0.001, scratch=tmp_path)
    said = []
    figures = {f.name: f for f in store.measure(said.append, options, side=512, image_side=512)}
    assert [name for name in figures if figures[name].value <= 0] == []
    assert {name.removeprefix("store.") for name in figures} == {
        "stroke_durable_median",
        "stroke_durable_p95",
        *(f"tile_{codec}_{kind}" for codec in ("plain", "compact", "fast") for kind in KINDS),
        "import",
        "open_window",
        "copy",
        "save_50_strokes_one_image",
        "save_50_strokes_ten_images",
        "backup",
    }
    median, p95 = figures["store.stroke_durable_median"], figures["store.stroke_durable_p95"]
    assert median.bound > 0
    assert p95.value >= median.value
    # So small a project promises nothing about what saving costs against copying it.
    assert figures["store.save_50_strokes_one_image"].met is None
    assert said
    assert list(tmp_path.iterdir()) == []  # nothing is left behind


KINDS = ("mask", "pixels")


def test_projects_for_it_are_as_large_as_they_say(tmp_path):
    path = tmp_path / "p.orgseg"
    store_projects.make_project(path, 3, print, side=300)
    assert path.stat().st_size >= 3 * 2 * 300**2


def test_too_little_room_is_said_before_anything_is_made(tmp_path):
    options = argparse.Namespace(size=10**9, scratch=tmp_path)
    with pytest.raises(RuntimeError, match="--size or --scratch"):
        next(store.measure(print, options))
    assert list(tmp_path.iterdir()) == []


def test_the_runner_hands_its_options_on(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(store, "measure", lambda _, options: iter([print(options.size)][:0]))
    assert run.main(["store", "--size", "0.5", "--scratch", str(tmp_path)]) == 0
    assert capsys.readouterr().out == "0.5\n"


def scans_of_the_history(statements, tables):
    """The statements that would read every change there is, however few they are about."""
    database = sqlite3.connect(":memory:")
    for table in tables:
        database.execute(table)
    plans = {
        text: [row[3] for row in database.execute(f"explain query plan {text}")]
        for text in statements
        if text.split()[0].lower() in ("select", "insert", "update", "delete")
    }
    database.close()
    assert len(plans) > 10
    return [text for text, plan in plans.items() if any("SCAN change" in step for step in plan)]


def test_a_stroke_and_a_save_cost_the_same_however_long_the_history(tmp_path, monkeypatch):
    """A month of work is a hundred thousand changes; a commit must not read them all."""
    path = tmp_path / "p.orgseg"
    store_projects.make_project(path, 1, print, side=512)
    statements = []

    class Traced(sqlite3.Connection):
        def __init__(self, *arguments, **options):
            super().__init__(*arguments, **options)
            self.set_trace_callback(statements.append)

    connect = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda *a, **o: connect(*a, **o, factory=Traced))
    rng = np.random.default_rng(3)
    with ProjectFile.open(path) as file:
        image_id = next(iter(file.project.images))

        def paint():
            while (change := store_projects.paint(file, image_id, rng).finish("paint")) is None:
                pass
            file.note_change(change)
            file.commit_all()

        paint()
        paint()
        file.save()
        statements.clear()
        paint()
        file.undo()
        file.commit_all()
        paint()
        file.save()
        counted = list(statements)
    monkeypatch.undo()
    assert any(text.startswith("insert or replace into change") for text in counted)
    assert scans_of_the_history(counted, journal._TABLES) == []
    # Without the index they are seen.
    tables = [text for text in journal._TABLES if "create index" not in text]
    assert len(scans_of_the_history(counted, tables)) > 1
