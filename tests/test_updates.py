"""Asking for a newer version: one request with nothing in it, and an answer in any case."""

from __future__ import annotations

import json
import ssl
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orgseg_app import __version__, updates
from orgseg_app.updates import CURRENT, NEWER, UNREACHABLE, Answer, check, is_newer


def answered(content: object) -> Answer:
    return check(lambda request, timeout_s: json.dumps(content).encode())


def test_the_request_says_nothing_about_anybody() -> None:
    sent: list[urllib.request.Request] = []

    def opener(request: urllib.request.Request, timeout_s: float) -> bytes:
        assert 0 < timeout_s <= 10
        sent.append(request)
        return b"{}"

    check(opener)
    (request,) = sent
    assert request.full_url == updates.ADDRESS
    assert request.full_url.startswith("https://")
    assert request.get_method() == "GET"
    assert request.data is None
    assert dict(request.header_items()) == {
        "User-agent": "OrgSeg",
        "Accept": "application/vnd.github+json",
    }


@pytest.mark.parametrize(
    "tag, state", [("v999.0", NEWER), (__version__, CURRENT), (f"v{__version__}", CURRENT)]
)
def test_newer_or_up_to_date(tag: str, state: str) -> None:
    assert answered({"tag_name": tag}) == Answer(state, tag.removeprefix("v"))


@pytest.mark.parametrize(
    "version, than, newer",
    [
        ("1.10", "1.9", True),
        ("1.9", "1.10", False),
        ("1.2", "1.2.0", False),
        ("1.2.1", "1.2", True),
        ("0.1.0", "1", False),
    ],
)
def test_versions_are_numbers(version: str, than: str, newer: bool) -> None:
    assert is_newer(version, than) is newer


@pytest.mark.parametrize(
    "error, words",
    [
        (urllib.error.URLError(TimeoutError()), "no answer within"),
        (TimeoutError(), "no answer within"),
        (urllib.error.URLError(ssl.SSLCertVerificationError()), "not safe"),
        (urllib.error.URLError(OSError(-2, "Name or service not known")), "no connection"),
        (ConnectionResetError(), "no connection"),
        (urllib.error.HTTPError(updates.ADDRESS, 404, "Not Found", None, None), "error 404"),  # type: ignore[arg-type]
    ],
)
def test_a_server_that_cannot_be_asked_is_an_answer(error: Exception, words: str) -> None:
    def opener(request: urllib.request.Request, timeout_s: float) -> bytes:
        raise error

    answer = check(opener)
    assert answer.state == UNREACHABLE
    assert words in answer.reason


@settings(max_examples=50)
@given(st.one_of(st.binary(max_size=40), st.text(max_size=20).map(str.encode)))
def test_nonsense_is_no_version(content: bytes) -> None:
    assert check(lambda *_: content).state == UNREACHABLE


@pytest.mark.parametrize(
    "content", [{"tag_name": "latest"}, {"tag_name": 3}, {}, [], None, {"tag_name": "1" * 99}]
)
def test_what_names_no_version_is_no_version(content: object) -> None:
    assert answered(content).state == UNREACHABLE


def test_an_endless_answer_is_no_version() -> None:
    content = b'{"tag_name": "9.9"' + b" " * 2**20 + b"}"
    assert check(lambda *_: content).state == UNREACHABLE


def test_another_server_is_not_followed_to() -> None:
    handler = updates._SameServer()
    request = urllib.request.Request(updates.ADDRESS)

    def followed(address: str) -> bool:
        return handler.redirect_request(request, None, 302, "", {}, address) is not None  # type: ignore[arg-type]

    assert followed("https://api.github.com/repositories/1/releases/latest")
    assert not followed("http://api.github.com/repositories/1")
    assert not followed("https://elsewhere.example/")
    assert not followed("file:///etc/passwd")


def test_only_two_modules_can_reach_a_network(root: Path) -> None:
    """And the window loads neither before it is asked to."""
    words = ("import urllib", "from urllib", "import http", "from http", "import socket")
    names = {
        path.relative_to(root).as_posix()
        for path in (root / "orgseg_app").rglob("*.py")
        if any(
            line.strip().startswith(words) for line in path.read_text(encoding="utf-8").splitlines()
        )
    }
    assert names <= {"orgseg_app/updates.py", "orgseg_app/gpu/download.py"}
    code = (
        "import sys, orgseg_app.gui.app\n"
        "print([n for n in ('urllib.request', 'ssl', 'orgseg_app.updates',\n"
        "       'orgseg_app.gpu.download', 'PySide6.QtNetwork') if n in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == "[]", done.stderr
