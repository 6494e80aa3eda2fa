"""What can be known of this computer without a driver's or PyTorch's help."""

from __future__ import annotations

import contextlib
import importlib.util
import platform
import re
import sys
from dataclasses import dataclass
from pathlib import Path

VENDORS = {0x10DE: "NVIDIA", 0x1002: "AMD", 0x8086: "Intel"}
"""PCI vendor numbers of those who make graphics cards."""

_PCI_FOLDER = Path("/sys/bus/pci/devices")
_DISPLAY_CLASS = 0x03
_DISPLAY_KEY = r"SYSTEM\CurrentControlSet\Control\Class\{4d36e968-e325-11ce-bfc1-08002be10318}"
"""Windows' device class "Display"."""


@dataclass(frozen=True)
class TorchBuild:
    """The PyTorch that this program has, as its own files tell without importing it.

    Attributes
    ----------
    version
        "2.13.0+cpu"; "" when there is none.
    cuda, hip
        Version of CUDA or ROCm that it was built for; "" for none.
    """

    version: str = ""
    cuda: str = ""
    hip: str = ""


def platform_name() -> str:
    """Such as ``linux-x86_64``, ``windows-amd64``, ``macos-arm64``."""
    system = {"linux": "linux", "win32": "windows", "darwin": "macos"}.get(sys.platform)
    return f"{system or sys.platform}-{platform.machine().lower()}"


def card_vendors() -> tuple[str, ...]:
    """Who made the graphics cards in this computer, driver or not; sorted, each once."""
    numbers = _windows_vendors() if sys.platform == "win32" else linux_vendors(_PCI_FOLDER)
    return tuple(sorted({VENDORS[number] for number in numbers if number in VENDORS}))


def linux_vendors(folder: Path) -> set[int]:
    """Vendor numbers of the display devices listed in a folder like ``/sys/bus/pci/devices``."""
    found: set[int] = set()
    with contextlib.suppress(OSError):
        for device in folder.iterdir():
            with contextlib.suppress(OSError, ValueError):
                kind = int((device / "class").read_text(encoding="ascii"), 16)
                if kind >> 16 == _DISPLAY_CLASS:
                    found.add(int((device / "vendor").read_text(encoding="ascii"), 16))
    return found


def _windows_vendors() -> set[int]:
    found: set[int] = set()
    if sys.platform == "win32":
        import winreg

        with (
            contextlib.suppress(OSError),
            winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, _DISPLAY_KEY) as cards,
        ):
            for index in range(winreg.QueryInfoKey(cards)[0]):
                with (
                    contextlib.suppress(OSError),
                    winreg.OpenKey(cards, winreg.EnumKey(cards, index)) as card,
                ):
                    device = str(winreg.QueryValueEx(card, "MatchingDeviceId")[0])
                    match = re.search(r"ven_([0-9a-f]{4})", device.lower())
                    if match:
                        found.add(int(match[1], 16))
    return found


def own_torch() -> TorchBuild:
    """The PyTorch that this program would import."""
    try:
        found = importlib.util.find_spec("torch")
    except (ImportError, ValueError):
        return TorchBuild()
    for folder in (found.submodule_search_locations or ()) if found else ():
        with contextlib.suppress(OSError, UnicodeDecodeError):
            return torch_build((Path(folder) / "version.py").read_text(encoding="utf-8"))
    return TorchBuild()


def torch_build(text: str) -> TorchBuild:
    """What a ``torch/version.py`` says.

    >>> torch_build("cuda: Optional[str] = '13.0'").cuda
    '13.0'
    >>> torch_build("__version__ = '2.13.0+cpu'")
    TorchBuild(version='2.13.0+cpu', cuda='', hip='')
    """

    def value(name: str) -> str:
        match = re.search(rf"^{name}\s*(?::[^=\n]*)?=\s*['\"]([^'\"]+)['\"]", text, re.MULTILINE)
        return match[1] if match else ""

    return TorchBuild(value("__version__"), value("cuda"), value("hip"))
