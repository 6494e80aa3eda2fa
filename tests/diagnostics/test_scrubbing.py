"""Nobody's name gets into a report, wherever it stands, and what helps to find a fault stays."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import Phase, assume, given, settings
from hypothesis import strategies as st

from orgseg_app.diagnostics.scrubbing import GENERIC, Scrubber

HOME = Path("/home/anna")


@pytest.fixture
def scrubber() -> Scrubber:
    return Scrubber(
        {"user": "anna", "computer": "lab-pc-3"},
        {
            "image": ["zelle ü 7.tif", 'das "große" Bild', "er_01"],
            "project": ["Geheimprojekt"],
            "run": ["ER fast"],
            "class": ["Mitos"],
        },
        home=HOME,
    )


@pytest.mark.parametrize(
    "text, shown",
    [
        ("image er_01 of ER fast", "image image-3 of run-1"),
        ("ER_01, Zelle Ü 7 and ZELLE Ü 7.TIF", "image-3, image-1 and image-1"),
        (r"zelle \xfc 7.tif", "image-1"),
        (r'das \"gro\u00dfe\" Bild', "image-2"),
        ("zelle%20%C3%BC%207.tif", "image-1"),
        ("“Geheimprojekt.orgseg” is open", "“project-1.orgseg” is open"),
        ("by Anna on lab-pc-3", "by user on computer"),
        ("/home/anna/Meine Daten/x y.tif", "~/folder-1/file-1.tif"),
        ("~/Meine Daten/x y.tif: no tag", "~/folder-1/file-1.tif: no tag"),
        ("No such file: '/mnt/lab share/b.nd2'", "No such file: '/mnt/folder-1/file-1.nd2'"),
        (r"C:\Users\anna\b c.czi: bad", "/folder-1/folder-2/user/file-1.czi: bad"),
        (r"\\server\share\b.czi", "/folder-1/folder-2/file-1.czi"),
        ("write to someone.else@lab.example", "write to <address>"),
        ("could not read unbekannt.lif", "could not read file-1.lif"),
        ("“Unbekannt” is gone", "“name-1” is gone"),
        ('The run "unbekannt 3" is gone', 'The run "name-1" is gone'),
        ("KeyError: 'unbekannt'", "KeyError: 'name-1'"),
    ],
)  # fmt: skip
def test_names_and_places_are_replaced(scrubber: Scrubber, text: str, shown: str) -> None:
    assert scrubber.text(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "ValueError: operands could not be broadcast together with shapes (3,4) (5,6)",
        "AttributeError: 'NoneType' object has no attribute 'text'",
        "2026-11-22 18:01:44,459 WARNING orgseg_app.gui.background: Reading a layer failed",
        "step 40/800, train/validation, 3.5 MB/s, isn't that it's 'x",
        "/usr/lib/x86_64-linux-gnu/libc.so.6(+0x3c050)",
        "CUDA error: out of memory at 0x7f2ec65b16d0; GPU 0: 23.65 GiB",
        "Thread 0x00007f0c (most recent call first):",
    ],
)
def test_what_helps_to_find_a_fault_stays(scrubber: Scrubber, text: str) -> None:
    assert scrubber.text(text) == text


def test_code_is_told_by_its_place_in_the_program(scrubber: Scrubber) -> None:
    import orgseg_app.gui.actions as ours

    text = f'  File "{ours.__file__}", line 3, in run'
    assert scrubber.text(text) == '  File "<OrgSeg code>/gui/actions.py", line 3, in run'
    text = '  File "/home/anna/x/lib/python3.12/site-packages/numpy/core/a.py", line 3'
    assert scrubber.text(text) == '  File "…/site-packages/numpy/core/a.py", line 3'


def test_the_same_thing_has_one_placeholder_and_two_have_two(scrubber: Scrubber) -> None:
    first = scrubber.text("/data/a.tif /data/b.tif")
    assert scrubber.text("then /data/b.tif") == f"then {first.split()[1]}"
    assert len(set(first.split())) == 2


def test_tables_are_cleared_through_and_through(scrubber: Scrubber) -> None:
    facts = {"er_01": [{"path": "/home/anna/a.tif"}, 3, None, True, Path("/x")]}
    assert scrubber.facts(facts) == {"image-3": [{"path": "~/file-1.tif"}, 3, None, True, "?"]}


# Names that are no words of the frame around them, as real ones may be: spaces, umlauts, quotes.
LETTERS = st.characters(
    categories=["Lu", "Ll", "Nd"], include_characters=" _-+()&'\"µ細", max_codepoint=0x9FFF
)
NAMES = st.text(LETTERS, min_size=2, max_size=14).map(lambda name: f"Zq{name.strip()}xK")
FRAMES = (
    "{}",
    "opened {} and 3 more",
    "image {}: no such plane",
    "“{}” is open in this window.",
    'The run "{}" is gone',
    "KeyError: {!r}",
    "{}.tif cannot be read: not a TIFF",
    "scores of {} are not kept: /home/anna/{}/y.h5",
    "[Errno 13] Permission denied: {!r}",
    "/home/anna/{}/x.orgseg: schema version 3",
    "2026-11-22 18:01:44,459 INFO orgseg_app.gui: {}",
)


@settings(max_examples=100, phases=[Phase.generate])  # to shrink takes minutes, and tells little
@given(NAMES, NAMES, st.sampled_from(FRAMES), st.integers(0, 2))
def test_no_known_name_is_in_any_text(user: str, name: str, frame: str, way: int) -> None:
    assume(name.casefold() not in user.casefold() and user.casefold() not in name.casefold())
    scrubber = Scrubber({"user": user}, {"image": [name]}, home=Path("/home") / user)
    text = frame.replace("anna", user).replace("{!r}", repr(name)).replace("{}", name)
    said = scrubber.text([text, text.upper(), json.dumps(text)][way])
    for secret in (user, name):
        assert secret.casefold() not in said.casefold(), said
        assert json.dumps(secret)[1:-1].casefold() not in said.casefold(), said


UNKNOWN = st.text(
    st.characters(categories=["Lu", "Ll", "Nd"], include_characters=" _-+", max_codepoint=0x2FF),
    min_size=2,
    max_size=14,
).map(lambda name: f"Zq{name.strip()}xK")
UNKNOWN_FRAMES = (
    "“{}” is open in this window.",
    "“{}.orgseg” was refused",
    'The run "{}" is gone',
    "No such file: '/data/{}/a.tif'",
    "/home/anna/{}/{}.tif: not a TIFF",
    "~/{}/{} 2.nd2",
    "C:\\Users\\b\\{}\\{}.lif cannot be read",
    "/media/disk/{}",
    "file:///data/{}/a.png",
    "\\\\server\\{}\\a.czi",
)


@settings(max_examples=100, phases=[Phase.generate])  # to shrink takes minutes, and tells little
@given(UNKNOWN, st.sampled_from(UNKNOWN_FRAMES))
def test_no_unknown_name_is_in_any_text(name: str, frame: str) -> None:
    said = Scrubber({"user": "anna"}, {}, home=HOME).text(frame.replace("{}", name))
    assert name.casefold() not in said.casefold(), said
    assert "anna" not in said


@settings(max_examples=100, phases=[Phase.generate])  # to shrink takes minutes, and tells little
@given(st.text(max_size=200))
def test_any_text_can_be_cleared(text: str) -> None:
    Scrubber({"user": "anna"}, {"image": ["a b"]}, home=HOME).text(text)


def test_words_that_tell_nothing_stay() -> None:
    names = [*GENERIC, "7", "1234", "x", ""]
    scrubber = Scrubber({"user": "root"}, {"image": names})
    text = "image 7 of 1234: the train log of root x"
    assert scrubber.text(text) == text


def test_a_thousand_names_are_looked_for_at_once() -> None:
    names = [f"image number {number} of set {number % 7}.tif" for number in range(1000)]
    scrubber = Scrubber({}, {"image": names})
    said = scrubber.text("lost " + ", ".join(names))
    assert "number" not in said
    assert said.endswith("image-1000")
