"""Names from anywhere become file names that are only that."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from orgseg_app.files.export import ExportError, export_path
from orgseg_app.files.names import MAX_STEM, clean_text, distinct, safe_stem, unique_names

NASTY = st.one_of(
    st.text(),
    st.text(st.sampled_from('./\\:*?"<>| \t\n\0\u202e\u200f\u2215~$%ü\u0308CONcon1\ud800😀')),
    st.sampled_from(
        ["..", "../x", "/etc/passwd", "C:\\x", "CON.txt", "nul", "a" * 300, "😀" * 300]
    ),
)
RESERVED = {"con", "prn", "aux", "nul", *(f"{d}{n}" for d in ("com", "lpt") for n in range(10))}


@settings(max_examples=500, deadline=None)
@given(st.lists(NASTY, min_size=10, max_size=10))
@example(["COM¹", " .con. ", "con .txt", "e\u0301" * 200, "N\x1b\u0300", "<\u0338"])
def test_any_name_becomes_a_harmless_stem(names):
    folder = Path("/some/folder")
    for name in names:
        stem = safe_stem(name)
        path = export_path(folder, name, ".tif")
        assert path.name == f"{stem}.tif"
        assert Path(os.path.normpath(path)).parent == folder
        assert 1 <= len(stem) <= MAX_STEM
        assert len(f"{stem}.tif".encode()) <= 255
        assert not set(stem) & set('<>:"/\\|?*')
        assert not stem.startswith(".")
        assert stem == stem.strip(". ")
        assert unicodedata.is_normalized("NFC", stem)
        assert not {unicodedata.category(c) for c in stem} & {"Cc", "Cf", "Cs", "Zl", "Zp"}
        assert stem.split(".")[0].strip().casefold() not in RESERVED
        assert safe_stem(stem) == stem


@settings(max_examples=300, deadline=None)
@given(st.lists(NASTY, max_size=12))
@example(["a"] * 12)
@example(["x" * 120, "x" * 121, "X" * 300])
@example(["ﬁ", "fi", "FI"])
def test_unique_names_stay_apart_on_any_file_system(names):
    stems = unique_names(names)
    assert len(stems) == len(names)
    seen = {unicodedata.normalize("NFKD", s).casefold() for s in stems}
    assert len(seen) == len(names)
    for stem in stems:
        assert len(stem) <= MAX_STEM
        assert safe_stem(stem) == stem


def test_ordinary_names_stay_as_they_are():
    for name in ("cell_01", "ER 3 µm – größe", "你好", "a.b.c", "x (2)", "-dash", "~t", "COM10"):
        assert safe_stem(name) == name
    assert unique_names(["a", "a", "A"], taken=["a (2)"]) == ["a", "a (3)", "A (4)"]
    assert distinct("x", []) == "x"


def test_text_to_show_is_one_plain_line():
    assert clean_text("  a\tb\r\nc\u202e\u0000\ud800 ") == "a b  c"
    assert clean_text("x" * 500) == "x" * 200


def test_a_name_never_leads_elsewhere(monkeypatch):
    monkeypatch.setattr("orgseg_app.files.export.safe_stem", lambda _: "../up")
    with pytest.raises(ExportError, match="cannot be used"):
        export_path("/some/folder", "x", ".tif")
