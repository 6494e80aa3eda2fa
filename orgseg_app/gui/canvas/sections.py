"""Sections XZ and YZ through the crosshair, linked with the canvas in place and zoom."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QTimer

from orgseg_app.core.mask import Box
from orgseg_app.core.project import ProjectImage
from orgseg_app.gui.canvas.crosshair import Crosshair
from orgseg_app.gui.canvas.layers import MASK, OBJECTS, OverlayLayer
from orgseg_app.gui.canvas.plane_view import ViewState
from orgseg_app.gui.canvas.section_view import SectionView
from orgseg_app.gui.canvas.section_voxels import (
    XZ,
    YZ,
    SectionPicture,
    SectionRequest,
    read_section,
)
from orgseg_app.gui.canvas.tile_loading import TileLoader
from orgseg_app.gui.viewing.overview import overview_of

if TYPE_CHECKING:
    from orgseg_app.gui.canvas.annotation_canvas import AnnotationCanvas

SHARP_AFTER_MS = 60
"""So long the crosshair has to rest until a section is read sharp."""


def stretch_of(image: ProjectImage, kind: str) -> float:
    """How much longer a voxel is in z than along a section; 1 where nobody knows.

    >>> image = ProjectImage("a", "a", (1, 5, 9, 9), "uint8", False, ("",), (0.3, 0.1, 0.1), "", "")
    >>> round(stretch_of(image, XZ), 6)
    3.0
    """
    if image.pixel_size_um is None:
        return 1.0
    z, y, x = image.pixel_size_um
    return z / (x if kind == XZ else y)


class Sections(QObject):
    """Keeps both sections at the crosshair, where the canvas looks, and as the mask is.

    Parameters
    ----------
    canvas
        Its session, display, zoom and place.

    Attributes
    ----------
    xz, yz
        The views, to be put below and right of the canvas.
    """

    def __init__(
        self, canvas: AnnotationCanvas, crosshair: Crosshair, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self.canvas, self.session, self.crosshair = canvas, canvas.session, crosshair
        self.xz, self.yz = SectionView(XZ, crosshair), SectionView(YZ, crosshair)
        self._loader = TileLoader(self.session.tiles, self)
        self._loader.arrived.connect(self._on_tile)
        self._loader.failed.connect(self._on_tile_failed)
        self._rest_timer = QTimer(self, singleShot=True, interval=SHARP_AFTER_MS)
        self._rest_timer.timeout.connect(self._ask_again)
        self._image: ProjectImage | None = None
        self._sizes: tuple[tuple[int, int], ...] = ()
        self._is_active = False
        for view in self.views:
            view.pointed.connect(lambda z, along, v=view: self._point(v, z, along))
            view.stepped.connect(lambda z, along, v=view: self._step(v, z, along))
            view.turned.connect(lambda act, notches, v=view: self._turn(v, act, notches))
            view.resized.connect(self.follow)
            view.view_changed.connect(lambda state, v=view: self._on_view_changed(v, state))
        canvas.looked_elsewhere.connect(self.follow)
        canvas.layers_shown.connect(self._show_layers)
        canvas.display.changed.connect(self._on_display_changed)
        crosshair.moved.connect(self._on_crosshair_moved)
        session = self.session
        session.closing.connect(self._loader.finish)
        session.image_selected.connect(self._on_image_selected)
        session.plane_selected.connect(lambda _: self.follow())
        session.mask_changed.connect(self._on_mask_changed)
        session.links_changed.connect(self._forget_lost)
        self._on_display_changed()

    @property
    def views(self) -> tuple[SectionView, SectionView]:
        """Both of them."""
        return self.xz, self.yz

    @property
    def is_idle(self) -> bool:
        """True when nothing is read."""
        return self._loader.is_idle and not self._rest_timer.isActive()

    def set_active(self, active: bool) -> None:
        """Read and show the sections, or rest while nobody sees them."""
        self._is_active = active
        self._show(None)
        self._on_display_changed()

    # -- what is shown ---------------------------------------------------------------------------

    def _on_image_selected(self, image_id: str) -> None:
        """Until the canvas has it (or if it never will), nothing of the image before is seen."""
        if self._image is None or image_id != self._image.image_id:
            self._show(None)

    def _on_display_changed(self) -> None:
        """Colours are others; or the display knows the contrast of another image by now."""
        image, display = self.session.image, self.canvas.display
        if not self._is_active or image is None or display.image_id != image.image_id:
            return
        if image is not self._image:
            self._show(image)
        for view in self.views:
            look = display.shown_levels(), display.gamma, display.channels, display.colours
            if view.look != look:  # a step to another plane changes nothing here
                view.look = look
                view.set_contrast(*look)
        self._show_layers()

    def _show(self, image: ProjectImage | None) -> None:
        file = self.session.file
        is_volume = image is not None and file is not None and image.shape[1] > 1
        self._image = image
        self._loader.read_with(None)
        if image is None or file is None or not is_volume:
            for view in self.views:
                view.show_section(None, is_rgb=False, stretch=1.0)
                view.show_layers(())
            return
        overview = overview_of(file, image, self.session.z)
        self._sizes = overview.sizes_yx if overview else (image.shape[2:],)
        self._loader.read_with(lambda request: read_section(file, image, request))
        for view in self.views:
            self._cut(view)
        self.follow()

    def _cut(self, view: SectionView) -> None:
        """Show the section at the crosshair."""
        image = self._image
        assert image is not None
        former = view.section
        position = self.crosshair.place[1 if view.kind == XZ else 2]
        stretch = stretch_of(image, view.kind)
        picture = SectionPicture(
            image,
            view.kind,
            position,
            self._sizes,
            stretch,
            self.session.tiles,
            lambda requests: self._want(picture, requests),
            self._drop,
        )
        if former is not None and former.image is image:
            picture.former, picture.has_voxels = former.position, former.has_voxels
        view.show_section(picture, image.is_rgb, stretch)

    def _show_layers(self) -> None:
        """Mask and objects, as the canvas shows them."""
        image, display, stack = self._image, self.canvas.display, self.canvas.layers
        shown: list[OverlayLayer] = []
        for kind in (MASK, OBJECTS):
            source, look = stack.source(kind), display.look(kind)
            if image is not None and source and look.visible and not self.canvas.hides_layers:
                layer = source.layer(image.image_id, self.session.z, look)
                shown += [] if layer is None else [layer]
        for view in self.views:
            view.show_layers(shown)

    def follow(self) -> None:
        """Look where the canvas looks."""
        for view in self.views:
            view.follow(self.canvas.view_state(), self.session.z)

    def _on_crosshair_moved(self) -> None:
        if self._image is None or self._image.shape[1] < 2:
            return
        _, y, x = self.crosshair.place
        for view in self.views:
            if view.section is None or view.section.position != (y if view.kind == XZ else x):
                self._cut(view)
                self._rest_timer.start()
            view.paint_lines_anew()
        if self._rest_timer.isActive():
            self._drop()
        self._show_layers()

    def _on_mask_changed(self, image_id: str, box: Box) -> None:
        """What is painted is seen at once, where it crosses a section."""
        if self._image is None or image_id != self._image.image_id:
            return
        _, y, x = self.crosshair.place
        if box.y0 <= y < box.y1:
            self.xz.update_box(Box(0, box.z0, box.x0, 1, box.z1, box.x1))
        if box.x0 <= x < box.x1:
            self.yz.update_box(Box(0, box.y0, box.z0, 1, box.y1, box.z1))

    # -- voxels ----------------------------------------------------------------------------------

    def _want(self, section: SectionPicture, requests: Sequence[SectionRequest]) -> None:
        """Read tiles; while the crosshair is dragged, those of the coarse version only."""
        if self._rest_timer.isActive():
            coarse = section.coarse
            requests = [r for r in requests if (r.key.level, r.key.stride) == coarse]
        self._loader.want(requests)

    def _drop(self) -> None:
        """What is no longer in sight need not be read."""
        if not self._loader.is_idle:
            self._loader.drop()
            self._ask_again()

    def _ask_again(self) -> None:
        """What is in sight is asked for as it is painted."""
        for view in self.views:
            view.update()

    def _on_tile(self, request: SectionRequest) -> None:
        view = self.xz if request.key.kind == XZ else self.yz
        if view.section is not None and view.section.image.image_id == request.key.image_id:
            view.update()

    def _on_tile_failed(self, request: SectionRequest, _: Exception) -> None:
        """The voxels cannot be had: the stored levels are all there is; the canvas says why."""
        view = self.xz if request.key.kind == XZ else self.yz
        section, key = view.section, request.key
        if section is not None and section.image.image_id == key.image_id:
            section.has_voxels = section.has_voxels and (key.level > 0 or len(self._sizes) < 2)
            view.update()

    def _forget_lost(self) -> None:
        """The file of a linked image may be there again."""
        file, image = self.session.file, self._image
        if file is None or image is None or file.links.last_state(image) != "found":
            return
        for view in self.views:
            if view.section is not None and not view.section.has_voxels:
                self.session.tiles.forget_lost(image.image_id)
                view.section.has_voxels = True
                view.update()

    # -- hand ------------------------------------------------------------------------------------

    def _point(self, view: SectionView, z: float, along: float) -> None:
        _, y, x = self.crosshair.place
        self.crosshair.put(*((y, along) if view.kind == XZ else (along, x)))
        self.session.select_plane(math.floor(z))

    def _step(self, view: SectionView, planes: int, along: int) -> None:
        z, y, x = self.crosshair.place
        self._point(view, z + planes, (x if view.kind == XZ else y) + along)

    def _turn(self, view: SectionView, act: str, notches: int) -> None:
        """The wheel moves a section in its own direction, as it moves the canvas in z."""
        _, y, x = self.crosshair.place
        if act == "brush":
            self.canvas.tools.grow_brush(notches)
        elif view.kind == XZ:
            self.crosshair.put(y - notches, x)
        else:
            self.crosshair.put(y, x - notches)

    def _on_view_changed(self, view: SectionView, state: ViewState) -> None:
        """The person zoomed or panned here: the canvas goes along."""
        now = self.canvas.view_state()
        there = (now.y, state.x) if view.kind == XZ else (state.y, now.x)
        self.canvas.set_view(ViewState(*there, state.zoom))
        self.canvas.view_changed.emit(self.canvas.view_state())
