"""Puts the top-level ``resources`` folder into the wheel, as ``orgseg_app/_resources``."""

from __future__ import annotations

from pathlib import Path

from setuptools.command.build_py import build_py


class BuildWithResources(build_py):
    """``build_py`` that also copies the resources; `orgseg_app.paths.resources_dir` finds them."""

    def run(self) -> None:
        super().run()
        if self.editable_mode:
            return
        for source in sorted(Path("resources").rglob("*")):
            if source.is_file():
                target = Path(self.build_lib, "orgseg_app", "_resources", *source.parts[1:])
                self.mkpath(str(target.parent))
                self.copy_file(str(source), str(target))
