"""Looking through the manual: what is found, in which order, with which words marked."""

from __future__ import annotations

import pytest

from orgseg_app.gui.help.help_search import (
    SYNONYMS,
    Entry,
    Found,
    entries_of,
    meanings,
    plain,
    search,
)

PAGES = {
    "iou": "# IoU\nWhat both say, divided by what either says.",
    "fill": "# Fill\nGives a region the class. Closes no gaps.",
    "holes": "# Fill holes\nFill what is enclosed. Fill it again.",
    "mask": "# Masks\nOne class a voxel. Café Meilă.",
    "scores": "# Scores\nAll of them.\n\n**Dice** {#dice} {#dice/mean}: twice the agreement.\n\n"
    "- *Pooled*: all.\n\n**Precision** {#precision}: how much is right.\n",
}
ENTRIES = [
    entry
    for name, text in PAGES.items()
    for entry in entries_of(name, text.splitlines()[0].removeprefix("# "), text)
]


def found(query: str) -> list[str]:
    return [answer.address for answer in search(query, ENTRIES)]


def marked(answer: Found) -> list[str]:
    return [answer.excerpt[start:end] for start, end in answer.marks]


def test_a_page_and_its_terms_can_be_found() -> None:
    terms = [entry for entry in ENTRIES if entry.page == "scores"]
    assert [(entry.key, entry.title) for entry in terms] == [
        ("", "Scores"), ("dice", "Dice"), ("precision", "Precision")
    ]  # fmt: skip
    assert terms[1].within == "Scores"
    assert terms[1].text == "twice the agreement."
    assert "{#" not in terms[0].text


def test_titles_come_first_and_the_very_title_before_longer_ones() -> None:
    assert found("fill") == ["fill", "holes"]
    assert found("fill holes")[0] == "holes"
    assert set(found("class")) == {"mask", "fill"}


def test_words_are_found_by_their_beginnings_only() -> None:
    assert "scores" in found("agree")
    assert found("greement") == []
    assert "holes" in found("enclo")


def test_all_words_must_be_there() -> None:
    assert found("fill enclosed") == ["holes"]
    assert found("fill precision") == []
    assert found("") == found("  ,; ") == []


def test_letters_with_accents_are_found_without_them() -> None:
    assert found("cafe meila") == ["mask"]
    assert marked(search("cafe", ENTRIES)[0]) == ["Café"]


@pytest.mark.parametrize(
    ("said", "page"), [("jaccard", "iou"), ("F1", "scores#dice"), ("label", "mask")]
)
def test_other_words_of_the_field_are_understood(said: str, page: str) -> None:
    assert page in found(said)


def test_what_was_found_is_marked_in_title_and_sentence() -> None:
    answer = search("fil", ENTRIES)[0]
    assert answer.entry.title == "Fill"
    assert answer.title_marks == ((0, 4),)
    assert marked(search("region", ENTRIES)[0]) == ["region"]


def test_an_excerpt_is_short_and_holds_the_word() -> None:
    long = Entry("x", "", "Long", "", "word " * 200 + "needle " + "word " * 200)
    answer = search("needle", [long])[0]
    assert len(answer.excerpt) < 140
    assert answer.excerpt.startswith("… ")
    assert answer.excerpt.endswith(" …")
    assert marked(answer) == ["needle"]


def test_synonyms_are_small_letters_and_lead_elsewhere() -> None:
    for word, others in SYNONYMS.items():
        assert word == word.lower()
        assert others
        assert meanings(word)[0] == word
        assert len(set(meanings(word))) == len(meanings(word))


def test_markdown_becomes_words() -> None:
    text = "# A {#a}\n- **b** `C` [d](e#f)\n![g](pictures/h)\n1. *i*"
    assert plain(text) == "A\nb C d\n\ni"
