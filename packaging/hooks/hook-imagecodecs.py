"""imagecodecs imports each codec by name when it is first used; PyInstaller sees none of them."""

from PyInstaller.utils.hooks import collect_submodules

hiddenimports = collect_submodules("imagecodecs")
