"""Packs that can be fetched: the list that was shipped with this version, and nothing else.

``resources/gpu/packs.json`` names address, size and SHA-256 of each pack that was published for
this version. Nobody asks a server what there is.
"""

from __future__ import annotations

import re
from pathlib import Path

import msgspec

from orgseg_app import __version__, paths
from orgseg_app.gpu.computer import platform_name
from orgseg_app.gpu.driver import Driver, version_numbers
from orgseg_app.gpu.pack import Needs

_ADDRESS = re.compile(r"https://[\w.-]+/")


class Part(msgspec.Struct, frozen=True):
    """A file on a server: its address and size."""

    url: str
    bytes: int


class Offer(msgspec.Struct, frozen=True):
    """A pack that can be fetched.

    Attributes
    ----------
    orgseg, platform
        What it is for.
    needs
        Of driver and card.
    sha256
        Of the whole.
    parts
        Files to fetch and join, in their order.
    """

    orgseg: str
    platform: str
    needs: Needs
    sha256: str
    parts: tuple[Part, ...]

    @property
    def bytes(self) -> int:
        """Of the whole."""
        return sum(part.bytes for part in self.parts)

    @property
    def server(self) -> str:
        """Where it comes from: "github.com"."""
        return self.parts[0].url.split("/")[2]

    @property
    def is_sound(self) -> bool:
        """Whether it can be fetched at all: safe addresses, sizes and a SHA-256."""
        return (
            bool(self.parts)
            and all(_ADDRESS.match(part.url) and part.bytes > 0 for part in self.parts)
            and re.fullmatch(r"[0-9a-f]{64}", self.sha256) is not None
        )


class _Offers(msgspec.Struct, frozen=True):
    packs: tuple[Offer, ...] = ()


def offers(path: Path | None = None) -> list[Offer]:
    """Packs for this version and computer; none when the list is empty or cannot be read."""
    try:
        text = (path or paths.resources_dir() / "gpu" / "packs.json").read_bytes()
        listed = msgspec.json.decode(text, type=_Offers).packs
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return []
    here = platform_name()
    return [
        offer
        for offer in listed
        if offer.is_sound and (offer.orgseg, offer.platform) == (__version__, here)
    ]


def suits(needs: Needs, driver: Driver) -> bool:
    """Whether driver and at least one card are new enough."""
    return version_numbers(driver.version) >= version_numbers(needs.driver) and any(
        card.capability >= needs.capability for card in driver.cards
    )


def best_offer(driver: Driver, known: list[Offer]) -> Offer | None:
    """The first that suits driver and cards, else the first."""
    return next((offer for offer in known if suits(offer.needs, driver)), next(iter(known), None))
