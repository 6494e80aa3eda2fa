"""All settings as at the first start, at once, with the old ones kept and the work untouched."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtWidgets import QApplication

from orgseg_app import cli, settings
from orgseg_app.gui.style import theme
from orgseg_app.settings import Settings
from tests.e2e.hand import Hand, make_project


@pytest.fixture
def changed(tmp_path: Path) -> Settings:
    """Settings of a person who has been here for a while."""
    found = Settings(
        theme="dark",
        keys_preset="fiji",
        shortcuts={"undo": "Ctrl+U"},
        wheel="slice",
        undo_budget_mb=5000,
        remembered={"place-read:x": True},
        recent_projects=[str(tmp_path / "a.orgseg")],
    )
    assert settings.save(found)
    return settings.load()


@pytest.fixture
def hand(qapp: QApplication, changed: Settings) -> Iterator[Hand]:
    theme.apply(qapp, "dark")
    made = Hand()
    yield made
    made.close()
    theme.apply(qapp, "light")


def test_everything_follows_at_once(hand: Hand, tmp_path: Path) -> None:
    hand.open(make_project(tmp_path / "b.orgseg", 1))
    hand.stroke()
    before = hand.session.mask().to_array()
    hand.window.resize(1400, 900)
    hand.parts.splitter.setSizes([400, 600, 400])
    usual = hand.window.shortcuts.keys("undo")
    assert "Ctrl+U" in usual
    hand.action("reset_settings")
    title, text = hand.asked[-1]
    assert title == "Reset all settings?"
    assert "Projects, images, masks and models stay" in text
    assert hand.window.shortcuts.keys("undo") == ("Ctrl+Z",)
    assert hand.window.shortcuts.wheel == "zoom"
    assert hand.window.actions_by_id["theme_system"].isChecked()
    assert (hand.window.width(), hand.window.height()) == (1280, 800)
    assert hand.parts.splitter.sizes()[0] < 300
    assert hand.window.settings.recent_projects == []
    hand.heard("info", "as at the first start", "before-reset")
    assert (hand.session.mask().to_array() == before).all()
    assert hand.window.settings.undo_budget_mb == 5000  # less would drop what can be undone
    assert settings.load() == hand.window.settings
    hand.goes_on()


def test_who_says_no_keeps_everything(hand: Hand) -> None:
    hand.answer = False
    before = settings.settings_path().read_bytes()
    hand.action("reset_settings")
    assert settings.settings_path().read_bytes() == before
    assert hand.window.settings.keys_preset == "fiji"


def test_a_disk_that_refuses_changes_nothing(hand: Hand, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("os.replace", refuse)
    hand.action("reset_settings")
    hand.heard("error", "could not be reset")
    assert hand.window.settings.keys_preset == "fiji"


def test_from_the_command_line(changed: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    old = settings.settings_path().read_bytes()
    assert cli.main(["--reset-settings"]) == 0
    assert "Projects and models are untouched" in capsys.readouterr().out
    assert settings.load() == Settings(undo_budget_mb=5000)
    kept = settings.settings_path().with_name("settings.json.before-reset")
    assert kept.read_bytes() == old
    assert json.loads(settings.settings_path().read_text("utf-8")) == {"undo_budget_mb": 5000}


def test_a_broken_file_can_be_reset_too(capsys: pytest.CaptureFixture[str]) -> None:
    path = settings.settings_path()
    path.parent.mkdir(parents=True)
    path.write_text("{", encoding="utf-8")
    assert cli.main(["--reset-settings"]) == 0
    assert settings.load() == Settings()
    assert cli.main(["--reset-settings"]) == 0
    assert "already" in capsys.readouterr().out
