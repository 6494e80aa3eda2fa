"""Whether there is a newer version: asked once, when a person has said so, and never by itself.

One HTTPS request to one address. It carries the program's name, nothing else: no version, no
number, no cookie. Only the answer's version is used; the page to look at is a constant as well.
"""

from __future__ import annotations

import json
import re
import ssl
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO, Any
from urllib.parse import urlsplit

from orgseg_app import __version__
from orgseg_app.certificates import trusted_context

ADDRESS = "https://api.github.com/repos/orgseg/orgseg/releases/latest"
PAGE = "https://github.com/orgseg/orgseg/releases/latest"
TIMEOUT_S = 10.0

NEWER, CURRENT, UNREACHABLE = "newer", "current", "unreachable"

_LONGEST_ANSWER = 2**20
_VERSION = re.compile(r"v?(\d{1,6}(?:\.\d{1,6}){0,3})")


@dataclass(frozen=True)
class Answer:
    """What came of asking.

    Attributes
    ----------
    state
        `NEWER`, `CURRENT` or `UNREACHABLE`.
    version
        The newest version; "" where it is not known.
    reason
        Why nothing is known, in words that end a sentence.
    """

    state: str
    version: str = ""
    reason: str = ""


Opener = Callable[[urllib.request.Request, float], bytes]
"""Sends a request, with a timeout in seconds; what came back."""


def check(opener: Opener | None = None) -> Answer:
    """Ask for the newest version; takes up to some `TIMEOUT_S`, so not in the window's thread.

    Parameters
    ----------
    opener
        Sends the request; None: over HTTPS.
    """
    request = urllib.request.Request(
        ADDRESS, headers={"User-Agent": "OrgSeg", "Accept": "application/vnd.github+json"}
    )
    try:
        content = (opener or _over_https)(request, TIMEOUT_S)
    except urllib.error.HTTPError as error:
        return Answer(UNREACHABLE, reason=f"the server answered with error {error.code}")
    except (urllib.error.URLError, OSError, ValueError) as error:
        return Answer(UNREACHABLE, reason=_why(error))
    version = _version_in(content)
    if not version:
        return Answer(UNREACHABLE, reason="the answer does not name a version")
    return Answer(NEWER if is_newer(version, __version__) else CURRENT, version)


def is_newer(version: str, than: str) -> bool:
    """Whether one version is later than another: ``1.10`` than ``1.9``.

    >>> is_newer("1.10.0", "1.9"), is_newer("1.2", "1.2.0")
    (True, False)
    """
    return _numbers(version) > _numbers(than)


def _numbers(version: str) -> tuple[int, ...]:
    found = [int(part) for part in re.findall(r"\d+", version.split("+")[0])[:4]]
    while found and found[-1] == 0:
        found.pop()
    return tuple(found)


def _version_in(content: bytes) -> str:
    """The version an answer names; "" for anything that is not understood."""
    if len(content) > _LONGEST_ANSWER:
        return ""
    try:
        named = json.loads(content)["tag_name"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return ""
    match = _VERSION.fullmatch(named) if isinstance(named, str) else None
    return match[1] if match else ""


class _SameServer(urllib.request.HTTPRedirectHandler):
    """Follows only to where it was asked: HTTPS, the same server."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: Any,
        newurl: str,
    ) -> urllib.request.Request | None:
        """None for elsewhere: then the answer counts as an error."""
        there, here = urlsplit(newurl), urlsplit(ADDRESS)
        if (there.scheme, there.netloc) != (here.scheme, here.netloc):
            return None
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _over_https(request: urllib.request.Request, timeout_s: float) -> bytes:
    opener = urllib.request.build_opener(
        urllib.request.HTTPSHandler(context=trusted_context()), _SameServer()
    )
    with opener.open(request, timeout=timeout_s) as reply:
        return bytes(reply.read(_LONGEST_ANSWER + 1))


def _why(error: Exception) -> str:
    cause = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(cause, TimeoutError):
        return f"there was no answer within {TIMEOUT_S:.0f} seconds"
    if isinstance(cause, ssl.SSLError):
        return "the connection is not safe (its certificate is not known here)"
    return "there is no connection to it"
