"""Fetching a pack, after a click that asks for it; only `orgseg_app.updates` asks a server, too.

Over HTTPS only, redirections included; never more bytes than were announced; and nothing is used
before its SHA-256 is the one that was shipped with the app. What arrived before the connection
broke stays, and the next try goes on from there where the server lets it.
"""

from __future__ import annotations

import http.client
import ssl
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any
from urllib import request
from urllib.error import HTTPError, URLError

from orgseg_app import __version__
from orgseg_app.certificates import trusted_context
from orgseg_app.files.atomic import reason
from orgseg_app.gpu.errors import CancelledError, PackError
from orgseg_app.gpu.install import Progress, gpu_dir
from orgseg_app.gpu.offers import Offer
from orgseg_app.gpu.pack import STEP, Joined, sha256_of

TIMEOUT_S = 30.0
"""How long a server may be silent."""

_BROKEN = (URLError, ssl.SSLError, TimeoutError, ConnectionError, http.client.HTTPException)

Opener = Callable[[request.Request, float], AbstractContextManager[Any]]


class OnlySafe(request.HTTPRedirectHandler):
    """Follows redirections to ``https://`` addresses, and refuses all others."""

    def redirect_request(
        self, req: request.Request, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> request.Request | None:
        """Raise where the way leads out of HTTPS."""
        if not newurl.lower().startswith("https://"):
            raise PackError("The server leads to an address that is not safe (no HTTPS).")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def open_safely(asked: request.Request, timeout_s: float) -> AbstractContextManager[Any]:
    """Open an ``https://`` address; the system's proxy settings hold.

    Raises
    ------
    PackError
        For any other kind of address.
    OSError
        When there is no connection, or the server is not who it should be.
    """
    if not asked.full_url.lower().startswith("https://"):
        raise PackError("OrgSeg fetches over HTTPS only.")
    opener = request.build_opener(request.HTTPSHandler(context=trusted_context()), OnlySafe)
    opened: AbstractContextManager[Any] = opener.open(asked, timeout=timeout_s)
    return opened


def partly(offer: Offer) -> Path:
    """Where an offer is put together."""
    return gpu_dir() / f"{offer.sha256[:16]}.download"


def fetch(
    offer: Offer, progress: Progress = lambda *_: True, open_url: Opener = open_safely
) -> Path:
    """Fetch a pack and check it.

    Parameters
    ----------
    offer
        From the list that was shipped.
    progress
        Told bytes that are there, bytes in all, and what is done; False gives up.
    open_url
        Opens an address; tests bring their own.

    Returns
    -------
    Path
        The whole file; whoever has installed it removes it.

    Raises
    ------
    PackError
        When the server cannot be reached, or sends something else. Nothing of it is used.
    """
    target = partly(offer)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("ab") as stream:
            have = stream.tell()
            if have > offer.bytes:
                stream.truncate(have := 0)
            start = 0
            for part in offer.parts:
                if have < start + part.bytes:
                    tell = _reporter(offer, start, progress)
                    _fetch_part(part.url, part.bytes, stream, have - start, tell, open_url)
                    have = start + part.bytes
                start += part.bytes
    except PackError:
        raise
    except HTTPError as error:
        raise PackError(
            f"The server answered “{error.code} {error.reason}” instead of sending the pack. "
            "Nothing was changed; try again later, or get the pack in a browser and install it "
            "from the file."
        ) from error
    except _BROKEN as error:
        raise PackError(
            f"{offer.server} could not be reached or broke off ({_words(error)}). What has arrived "
            "is kept; check the connection and try again."
        ) from error
    except OSError as error:
        raise PackError(
            f"The pack could not be kept: {reason(error)}. Nothing was changed."
        ) from error
    _check(target, offer, progress)
    return target


def _reporter(offer: Offer, start: int, progress: Progress) -> Callable[[int], None]:
    def tell(done: int) -> None:
        if not progress(start + done, offer.bytes, "Downloading"):
            raise CancelledError("Cancelled. What has arrived is kept for the next try.")

    return tell


def _fetch_part(
    url: str, size: int, stream: Any, have: int, tell: Callable[[int], None], open_url: Opener
) -> None:
    """Append one file to the stream, of which `have` bytes are there already."""
    asked = request.Request(url, headers={"User-Agent": f"OrgSeg/{__version__}"})
    if have:
        asked.add_header("Range", f"bytes={have}-")
    tell(have)
    with open_url(asked, TIMEOUT_S) as answer:
        if have and answer.status != 206:  # this server begins again
            stream.truncate(stream.tell() - have)
            stream.seek(0, 2)
            have = 0
        announced = answer.headers.get("Content-Length")
        if announced is not None and int(announced) != size - have:
            raise PackError("The server offers another file than the one that was announced.")
        while data := answer.read(STEP):
            if have + len(data) > size:
                raise PackError("The server sends more than was announced; it was broken off.")
            stream.write(data)
            have += len(data)
            tell(have)
    if have != size:
        raise ConnectionError("the connection ended early")


def _check(target: Path, offer: Offer, progress: Progress) -> None:
    def report(done: int) -> None:
        if not progress(done, offer.bytes, "Checking what arrived"):
            raise CancelledError("Cancelled. What has arrived is kept for the next try.")

    with Joined([target]) as whole:
        found = sha256_of(whole, report)
    if found != offer.sha256:
        target.unlink(missing_ok=True)
        raise PackError(
            "What arrived is not the pack that was published: its SHA-256 is another one. It was "
            "deleted, and nothing was changed; try again later."
        )


def _words(error: Exception) -> str:
    cause = getattr(error, "reason", error)
    if isinstance(cause, ssl.SSLError):
        return "its connection is not safe, or it cannot prove who it is"
    return str(getattr(cause, "strerror", "") or cause).rstrip(".") or type(error).__name__
