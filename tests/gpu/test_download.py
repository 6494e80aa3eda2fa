"""Fetching a pack: what is believed of a server, and what is kept when it breaks off."""

from __future__ import annotations

import hashlib
import io
import ssl
from collections.abc import Callable
from email.message import Message
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request

import pytest

from orgseg_app import __version__
from orgseg_app.gpu.computer import platform_name
from orgseg_app.gpu.download import OnlySafe, fetch, open_safely, partly
from orgseg_app.gpu.errors import CancelledError, PackError
from orgseg_app.gpu.offers import Offer, Part, offers
from tests.gpu.packs import NEEDS

FIRST, SECOND = bytes(range(256)) * 9000, b"the rest"
WHOLE = FIRST + SECOND
OFFER = Offer(
    __version__, platform_name(), NEEDS, hashlib.sha256(WHOLE).hexdigest(),
    (Part("https://example.org/p.001", len(FIRST)), Part("https://example.org/p.002", len(SECOND))),
)  # fmt: skip


class Answer(io.BytesIO):
    """What a server answers."""

    def __init__(self, data: bytes, status: int = 200, length: int | None = None) -> None:
        super().__init__(data)
        self.status = status
        self.headers = {} if length is None else {"Content-Length": str(length)}


class Server:
    """Serves both files; knows ranges or not, and may break off."""

    def __init__(self, *, ranges: bool = True, break_after: int | None = None) -> None:
        self.files = {"https://example.org/p.001": FIRST, "https://example.org/p.002": SECOND}
        self.ranges, self.break_after = ranges, break_after
        self.asked: list[tuple[str, str | None]] = []

    def __call__(self, request: Request, timeout_s: float) -> Any:
        assert timeout_s > 0
        assert request.get_header("User-agent") == f"OrgSeg/{__version__}"
        wanted = request.get_header("Range")
        self.asked.append((request.full_url[-3:], wanted))
        data, status = self.files[request.full_url], 200
        if wanted and self.ranges:
            data, status = data[int(wanted.removeprefix("bytes=").rstrip("-")) :], 206
        length = len(data)
        if self.break_after is not None:
            data = data[: self.break_after]
        return Answer(data, status, length)


def test_both_parts_arrive_and_are_told(tmp_path: Path) -> None:
    server, told = Server(), []
    path = fetch(OFFER, lambda *what: bool(told.append(what)) or True, server)
    assert path.read_bytes() == WHOLE
    assert server.asked == [("001", None), ("002", None)]
    done = [amount for amount, _, words in told if words == "Downloading"]
    assert done == sorted(done)
    assert done[-1] == len(WHOLE)
    assert {total for _, total, _ in told} == {len(WHOLE)}
    assert told[-1][2] == "Checking what arrived"


@pytest.mark.parametrize("ranges", [True, False])
def test_the_next_try_goes_on_where_the_connection_broke(ranges: bool) -> None:
    with pytest.raises(PackError, match="What has arrived is kept"):
        fetch(OFFER, open_url=Server(break_after=1_500_000))
    assert partly(OFFER).stat().st_size == 1_500_000
    server = Server(ranges=ranges)
    assert fetch(OFFER, open_url=server).read_bytes() == WHOLE
    assert server.asked == [("001", "bytes=1500000-"), ("002", None)]


def test_what_is_there_already_is_not_asked_for() -> None:
    fetch(OFFER, open_url=Server())
    server = Server()
    assert fetch(OFFER, open_url=server).read_bytes() == WHOLE
    assert server.asked == []


def test_cancelled_and_gone_on() -> None:
    with pytest.raises(CancelledError, match="kept for the next try"):
        fetch(OFFER, lambda done, *_: done < 10**6, Server())
    assert partly(OFFER).stat().st_size >= 10**6
    assert fetch(OFFER, open_url=Server()).read_bytes() == WHOLE


def test_another_file_is_deleted() -> None:
    server = Server()
    server.files["https://example.org/p.002"] = b"the RUST"
    with pytest.raises(PackError, match="not the pack that was published"):
        fetch(OFFER, open_url=server)
    assert not partly(OFFER).exists()


def _answering(answer: Callable[[], Any]) -> Callable[[Request, float], Any]:
    return lambda request, timeout_s: answer()


def _raise(error: Exception) -> Any:
    raise error


@pytest.mark.parametrize(
    "answer, said",
    [
        (lambda: Answer(FIRST, length=len(FIRST) + 1), "another file than the one"),
        (lambda: Answer(FIRST + b"x"), "more than was announced"),
        (lambda: _raise(URLError("Name or service not known")), "could not be reached .*Name or"),
        (lambda: _raise(ssl.SSLError(1, "expired")), "cannot prove who it is"),
        (lambda: _raise(TimeoutError("timed out")), "could not be reached .*timed out"),
        (
            lambda: _raise(HTTPError("https://x", 404, "Not Found", Message(), None)),
            "“404 Not Found”",
        ),
        (lambda: _raise(OSError(28, "No space left on device")), "kept: the disk is full"),
    ],
)
def test_what_goes_wrong_is_said(answer: Callable[[], Any], said: str) -> None:
    with pytest.raises(PackError, match=said):
        fetch(OFFER, open_url=_answering(answer))


def test_only_https_redirections_included() -> None:
    with pytest.raises(PackError, match="HTTPS only"):
        open_safely(Request("http://example.org/p"), 1)
    with pytest.raises(PackError, match="HTTPS only"):
        open_safely(Request("file:///etc/passwd"), 1)
    request, headers = Request("https://example.org/p"), Message()
    for unsafe in ("http://example.org/p", "ftp://example.org/p", "file:///etc/passwd"):
        with pytest.raises(PackError, match="not safe"):
            OnlySafe().redirect_request(request, None, 302, "Found", headers, unsafe)
    followed = OnlySafe().redirect_request(
        request, None, 302, "Found", headers, "https://cdn.example.org/p"
    )
    assert followed is not None
    assert followed.full_url == "https://cdn.example.org/p"


def test_the_list_that_is_shipped(tmp_path: Path) -> None:
    assert offers() == []  # no release has been published; whoever publishes one changes this line
    path = tmp_path / "packs.json"
    good = (
        '{"orgseg": "%s", "platform": "%s", "needs": {"cuda": "13.0", "driver": "580", '
        '"capability": [7, 5]}, "sha256": "%s", "parts": [{"url": "%s", "bytes": 9}]}'
    )
    entries = [
        good % (__version__, platform_name(), "a" * 64, "https://example.org/a.zip"),
        good % (__version__, platform_name(), "a" * 64, "http://example.org/a.zip"),
        good % (__version__, platform_name(), "nonsense", "https://example.org/a.zip"),
        good % (__version__, "amiga-68k", "a" * 64, "https://example.org/a.zip"),
        good % ("9.9.9", platform_name(), "a" * 64, "https://example.org/a.zip"),
    ]
    path.write_text("".join(['{"packs": [', ",".join(entries), "]}"]), encoding="utf-8")
    (found,) = offers(path)
    assert (found.parts[0].url, found.needs) == ("https://example.org/a.zip", NEEDS)
    path.write_text("nonsense", encoding="utf-8")
    assert offers(path) == []
    assert offers(tmp_path / "gone") == []
