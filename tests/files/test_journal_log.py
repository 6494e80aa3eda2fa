"""The log of a journal: whole, torn at its end, or damaged under confirmed strokes."""

from __future__ import annotations

import random
import shutil
import sqlite3
from pathlib import Path

import pytest

from orgseg_app.files.store.journal_log import DAMAGED, TORN, WHOLE, condition


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A log of 20 commits, as a killed program leaves it."""
    folder = tmp_path_factory.mktemp("log")
    connection = sqlite3.connect(folder / "a", isolation_level=None)
    connection.execute("pragma journal_mode=wal")
    connection.execute("create table t(x blob)")
    for i in range(20):
        connection.execute("insert into t values(?)", (bytes([i]) * 3000,))
    shutil.copyfile(folder / "a-wal", folder / "b-wal")
    connection.close()
    return (folder / "b-wal").read_bytes()


def _condition(content: bytes, folder: Path) -> str:
    (folder / "x-wal").write_bytes(content)
    return condition(folder / "x-wal")


def test_a_log_that_sqlite_wrote_is_whole(log: bytes, tmp_path: Path) -> None:
    assert len(log) > 20 * 4096
    assert _condition(log, tmp_path) == WHOLE
    assert condition(tmp_path / "none-wal") == WHOLE
    assert _condition(b"", tmp_path) == WHOLE


def test_a_changed_byte_under_confirmed_commits_is_damage(log: bytes, tmp_path: Path) -> None:
    rng = random.Random(1)
    for _ in range(200):
        at = rng.randrange(32, len(log) - 4 * 4120)
        changed = bytearray(log)
        changed[at] ^= 1 << rng.randrange(8)
        assert _condition(bytes(changed), tmp_path) == DAMAGED, at


def test_a_changed_byte_in_the_last_commit_is_never_passed_over(log: bytes, tmp_path: Path) -> None:
    """But for its mark, which looks as an older round would."""
    rng = random.Random(2)
    last = len(log) - 4120
    for _ in range(200):
        place = rng.choice([*range(8), *range(16, 4120)])
        changed = bytearray(log)
        changed[last + place] ^= 1 << rng.randrange(8)
        if 4 <= place < 8 and not any(changed[last + 4 : last + 8]):
            continue
        assert _condition(bytes(changed), tmp_path) == TORN, place


def test_what_a_kill_leaves_is_not_called_damage(log: bytes, tmp_path: Path) -> None:
    for cut in range(0, len(log), 977):
        assert _condition(log[:cut], tmp_path) in (WHOLE, TORN), cut
    ends = [32 + 4120 * n for n in range(1, (len(log) - 32) // 4120)]
    assert all(_condition(log[:end], tmp_path) == WHOLE for end in ends)


def test_frames_of_an_older_round_are_not_missed_commits(log: bytes, tmp_path: Path) -> None:
    """SQLite starts again at the front with new salts; what lies behind is old."""
    old = bytearray(log)
    for at in range(32, len(log) - 4119, 4120):
        old[at + 8] ^= 0xFF
    commits = [at for at in range(32, len(log) - 4119, 4120) if any(log[at + 4 : at + 8])]
    half = commits[9] + 4120
    assert _condition(log[:half] + bytes(old[half:]), tmp_path) == WHOLE
