"""What is known about computing on a graphics card here, and the one sentence about it.

The window's device line, its dialog and ``orgseg doctor`` all say this sentence.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from orgseg_app.gpu.choice import SelfTest, last_test
from orgseg_app.gpu.computer import TorchBuild, card_vendors, own_torch, platform_name
from orgseg_app.gpu.driver import DENIED, LOST, MISMATCH, MISSING, NOT_LOADED, Driver, find_driver
from orgseg_app.gpu.install import installed
from orgseg_app.gpu.offers import Offer, best_offer, offers, suits
from orgseg_app.gpu.pack import USUAL_NEEDS, Needs

INSTALL, TEST, DRIVER, RESTART, PACK, NOTHING = (
    "install", "test", "driver", "restart", "pack", "",
)  # fmt: skip
"""What there is to do: install the pack, test it, get a driver, restart, get another pack."""

WORKS, READY, WARNING, PLAIN = "success", "ready", "warning", "secondary"
"""How good the news is."""

DRIVERS_AT = "nvidia.com/drivers"
_ON_CPU = "training runs on the processor"


@dataclass(frozen=True)
class PackSeen:
    """The pack that is installed.

    Attributes
    ----------
    orgseg, torch
        Versions in it.
    needs
        Of driver and card.
    bytes
        Room that it takes.
    sha256
        Which one it is.
    fits
        It is for this version of OrgSeg.
    is_whole
        Its program is there.
    """

    orgseg: str
    torch: str
    needs: Needs
    bytes: int
    sha256: str
    fits: bool = True
    is_whole: bool = True


@dataclass(frozen=True)
class Situation:
    """Everything that decides the sentence.

    Attributes
    ----------
    platform
        As `computer.platform_name`.
    driver
        What the NVIDIA driver says.
    vendors
        Who made the cards in this computer, whether a driver knows them or not.
    torch
        The PyTorch of this program.
    pack
        What is installed.
    test
        The last self-test of what would compute here, with whichever driver.
    offer
        A pack that can be fetched.
    kind
        Device that was found by trying: "cpu", "cuda", "mps"; "" when nobody has tried.
    """

    platform: str
    driver: Driver = field(default_factory=Driver)
    vendors: tuple[str, ...] = ()
    torch: TorchBuild = field(default_factory=TorchBuild)
    pack: PackSeen | None = None
    test: SelfTest | None = None
    offer: Offer | None = None
    kind: str = ""

    @property
    def needs(self) -> Needs:
        """Of the pack that is installed, or that would be."""
        if self.pack is not None and self.pack.fits:
            return self.pack.needs
        return self.offer.needs if self.offer is not None else USUAL_NEEDS

    @property
    def is_tested(self) -> bool:
        """Whether the last test was with this driver."""
        return self.test is not None and self.test.driver == self.driver.version

    @property
    def can_be_tested(self) -> bool:
        """Whether there is something that might compute on a card."""
        if self.pack is not None:
            return self.pack.fits and self.pack.is_whole
        return bool(self.torch.cuda or self.torch.hip) or self.platform.startswith("macos")


@dataclass(frozen=True)
class Verdict:
    """What is said, and what there is to do.

    Attributes
    ----------
    sentence
        What works, and what to do.
    tone
        One of `WORKS` … `PLAIN`.
    to_do
        One of `INSTALL` … `NOTHING`.
    """

    sentence: str
    tone: str
    to_do: str = NOTHING


def look() -> Situation:
    """Find out everything that can be known without PyTorch; takes up to a few seconds."""
    driver, pack = find_driver(), installed()
    seen = None
    if pack is not None:
        facts = pack.facts
        seen = PackSeen(
            facts.orgseg, facts.torch, facts.needs, facts.total_bytes, pack.sha256,
            pack.fits, pack.is_whole,
        )  # fmt: skip
    return Situation(
        platform_name(), driver, card_vendors(), own_torch(), seen, last_test(pack),
        best_offer(driver, offers()),
    )  # fmt: skip


def judge(now: Situation) -> Verdict:
    """The sentence for a situation."""
    if now.platform.startswith("macos"):
        return _on_a_mac(now)
    if now.torch.hip and now.pack is None:
        return _with_amd(now)
    if not now.driver.cards:
        return _without_cards(now)
    if now.pack is None and now.torch.cuda:
        return _with_own(now)
    return _with_driver(now)


def _on_a_mac(now: Situation) -> Verdict:
    if now.test is not None and not now.test.passed:
        why = now.test.reason
        return Verdict(f"The GPU of this Mac is not used: {why}; {_ON_CPU}.", WARNING, TEST)
    if now.kind == "cpu" or "arm64" not in now.platform:
        return Verdict(f"The GPU of this Mac cannot be used: {_ON_CPU}.", PLAIN)
    return Verdict("The GPU of this Mac is used; there is nothing to install.", WORKS)


def _with_amd(now: Situation) -> Verdict:
    reason = now.test.reason if now.test is not None else ""
    if now.kind == "cpu" or reason:
        why = reason or "none answers"
        return Verdict(
            f"PyTorch is built for AMD cards, but no card can be used: {why}; {_ON_CPU}. Check the "
            "ROCm driver.",
            WARNING,
            DRIVER,
        )
    return Verdict("The AMD card is used through ROCm; there is nothing to install.", WORKS)


def _without_cards(now: Situation) -> Verdict:
    problem, said = now.driver.problem, now.driver.said
    cures = {
        MISMATCH: ("its driver was updated and is not complete yet: restart the computer", RESTART),
        NOT_LOADED: (
            "its driver is not loaded: restart the computer, or install the driver again from "
            f"{DRIVERS_AT}",
            RESTART,
        ),
        DENIED: ("you may not use it: ask whoever looks after this computer", NOTHING),
    }
    if problem in cures:
        words, to_do = cures[problem]
        sentence = f"An NVIDIA card is here, but {words}. Until then {_ON_CPU}."
        return Verdict(sentence, WARNING, to_do)
    if "NVIDIA" in now.vendors:
        words = f" ({said})" if said and problem not in (MISSING, LOST) else ""
        return Verdict(
            f"An NVIDIA card is here, but no driver answers for it{words}: install the driver from "
            f"{DRIVERS_AT}, on Linux with the system's own tools. Until then {_ON_CPU}.",
            WARNING,
            DRIVER,
        )
    if "AMD" in now.vendors:
        more = (
            "; from its source, OrgSeg uses one with PyTorch for ROCm"
            if now.platform.startswith("linux")
            else ""
        )
        return Verdict(f"The AMD graphics here cannot be used{more}: {_ON_CPU}.", PLAIN)
    return Verdict(f"No graphics card that OrgSeg can use: {_ON_CPU}.", PLAIN)


def _with_own(now: Situation) -> Verdict:
    """With a PyTorch of our own that is built for NVIDIA cards."""
    card = _card_words(now)
    if now.kind == "cpu":
        cure = f"CUDA {now.torch.cuda} may need a newer driver from {DRIVERS_AT}"
        return Verdict(
            f"{card} is here, but PyTorch cannot use it: {cure}; {_ON_CPU}.", WARNING, DRIVER
        )
    if now.test is not None and now.is_tested:
        return _tested(now, now.test, card)
    return Verdict(f"{card} is here, and this OrgSeg computes on it.", WORKS)


def _with_driver(now: Situation) -> Verdict:
    """There is a driver with cards, and a pack is what is wanted or what is there."""
    card, needs = _card_words(now), now.needs
    if not suits(needs, now.driver):
        return _too_old(now)
    if now.pack is None:
        return Verdict(
            f"{card} is here; install the GPU pack to train on it instead of on the processor.",
            READY,
            INSTALL,
        )
    if not now.pack.fits:
        return Verdict(
            f"The GPU pack is for OrgSeg {now.pack.orgseg}: install the one of this version. Until "
            f"then {_ON_CPU}.",
            WARNING,
            PACK,
        )
    if not now.pack.is_whole:
        return Verdict(
            f"The GPU pack is damaged: install it again. Until then {_ON_CPU}.", WARNING, PACK
        )
    if now.test is None or not now.is_tested:
        return Verdict(
            f"The GPU pack has not been tested with {card} yet: test it, which takes ten seconds.",
            READY,
            TEST,
        )
    return _tested(now, now.test, card)


def _too_old(now: Situation) -> Verdict:
    needs, newest = now.needs, max(card.capability for card in now.driver.cards)
    if newest < needs.capability:
        name = max(now.driver.cards, key=lambda card: card.capability).name
        return Verdict(
            f"{_called(name)} is too old for the GPU pack, which needs compute capability "
            f"{_dotted(needs.capability)} and finds {_dotted(newest)}: {_ON_CPU}.",
            PLAIN,
        )
    return Verdict(
        f"The NVIDIA driver {now.driver.version} is too old for the GPU pack: install "
        f"{needs.driver} or newer from {DRIVERS_AT}. Until then {_ON_CPU}.",
        WARNING,
        DRIVER,
    )


def _tested(now: Situation, test: SelfTest, card: str) -> Verdict:
    if not test.passed:
        return Verdict(f"{card} is not used: {test.reason}; {_ON_CPU}.", WARNING, TEST)
    faster = f", {_times(test.times_cpu)} as fast as the processor" if test.times_cpu > 1 else ""
    return Verdict(f"Networks are trained on {card}{faster}.", WORKS)


def _card_words(now: Situation) -> str:
    """The best card with its driver, "NVIDIA RTX 3060 with driver 550.54"."""
    cards = sorted(now.driver.cards, key=lambda card: card.capability, reverse=True)
    version = ".".join(now.driver.version.split(".")[:2])
    return f"{_called(cards[0].name)} with driver {version}"


def _called(name: str) -> str:
    name = name.replace("GeForce ", "")
    return name if name.startswith("NVIDIA") else f"NVIDIA {name}"


def _dotted(capability: tuple[int, int]) -> str:
    return f"{capability[0]}.{capability[1]}"


def _times(ratio: float) -> str:
    return f"{ratio:.0f} ×" if ratio >= 10 else f"{ratio:.1f} ×"
