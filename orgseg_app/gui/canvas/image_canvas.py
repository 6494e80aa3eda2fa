"""The session's image and plane with its mask: read as it is looked at, off the window's thread."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QRectF, QTimer, Signal

from orgseg_app.core.mask import Box
from orgseg_app.gui.canvas.decorations import Minimap
from orgseg_app.gui.canvas.layers import LayerStack, MaskSource
from orgseg_app.gui.canvas.options import DisplayOptions
from orgseg_app.gui.canvas.plane_view import PlaneView, ViewState
from orgseg_app.gui.canvas.preview import PlanePreview
from orgseg_app.gui.canvas.preview_badge import PreviewBadge
from orgseg_app.gui.canvas.rendering import PlanePyramid, auto_levels, value_range
from orgseg_app.gui.canvas.tile_cache import TileRequest
from orgseg_app.gui.canvas.tile_loading import NoPartsError, TileLoader
from orgseg_app.gui.canvas.tiles import TiledPyramid
from orgseg_app.gui.viewing.overview import Overview, overview_of

if TYPE_CHECKING:
    from orgseg_app.gui.session import Session

LOAD_HERE_BYTES = 48 << 20
OVERVIEW_BYTES = 8 << 20  # larger planes are shown in tiles, and never read as a whole
STACK_BYTES = 1 << 20  # and so are planes of stacks from here on: the next one has to come at once
AHEAD = (1, -1, 2, -2)  # planes read ahead, in the direction of the last step
AHEAD_AFTER_MS = 10
MAP_AFTER_MS = 60  # the map of the whole follows when planes are scrolled through


class ImageCanvas(PlaneView):
    """Shows the session's image and plane, with its layers and a map of the whole.

    Attributes
    ----------
    layers
        What lies over the image; the mask is in it from the beginning.
    preview
        What is shown in place of the image while it is on.

    Signals
    -------
    loading_changed(is_loading)
    looked_elsewhere()
        Zoom, place or size are others, whoever changed them; `view_changed` is the person.
    layers_shown()
        Other layers are shown, or they look otherwise.
    """

    leads_display = True
    """Whether the display options are about what is shown here; else they are only followed."""

    loading_changed = Signal(bool)
    looked_elsewhere = Signal()
    layers_shown = Signal()

    def __init__(self, session: Session, display: DisplayOptions, parent: object = None) -> None:
        super().__init__(parent)  # type: ignore[arg-type]
        self.session = session
        self.display = display
        self.layers = LayerStack(display, self)
        self.layers.add(MaskSource(session, display, self.layers))
        self.layers.changed.connect(self._refresh_overlay)
        self._hidden_by_key = False
        self._views: dict[str, ViewState] = {}
        self._shown: tuple[str, int] = ("", 0)
        self._overview: Overview | None = None
        self._missed: tuple[str, int] | None = None
        self._whole_only: set[str] = set()  # images whose voxels cannot be read in parts
        self._step = 1
        self._loader = TileLoader(session.tiles, self)
        self._loader.arrived.connect(self._on_tile)
        self._loader.failed.connect(self._on_tile_failed)
        self._ahead_timer = QTimer(self, singleShot=True, interval=AHEAD_AFTER_MS)
        self._ahead_timer.timeout.connect(self._look_ahead)
        self.preview = PlanePreview(session, self)
        self.preview.changed.connect(self._take_preview)
        self.preview.tile_arrived.connect(self._on_tile)
        self.preview.tile_failed.connect(self._on_preview_tile_failed)
        self.badge = PreviewBadge(self.preview, self)
        self._minimap = Minimap()
        self._map_timer = QTimer(self, singleShot=True, interval=MAP_AFTER_MS)
        self._map_timer.timeout.connect(self._draw_map)
        session.image_selected.connect(self._on_image_selected)
        session.plane_selected.connect(self._on_plane_selected)
        session.mask_changed.connect(self._on_mask_changed)
        session.links_changed.connect(self._on_links_changed)
        session.closing.connect(self._loader.finish)
        display.changed.connect(self._on_display_changed)
        display.auto_wanted.connect(self._take_auto_contrast)

    def image_leaves(self) -> None:
        """Another image is about to be shown; for subclasses."""

    def image_came(self) -> None:
        """Another image or plane is shown; for subclasses."""

    # -- what is shown ---------------------------------------------------------------------------

    def _on_image_selected(self, image_id: str) -> None:
        if self._shown[0]:
            self._views.pop(self._shown[0], None)
            if not self.is_fitted:  # a fit is one at whatever size the canvas has by then
                self._views[self._shown[0]] = self.view_state()
        self.image_leaves()
        if not image_id:
            self._clear()
            return
        self.session.tiles.forget_lost(image_id)  # what could not be read may be there again
        self._load(image_id, self.session.z)

    def _on_plane_selected(self, z: int) -> None:
        image_id = self.session.image_id
        if image_id and (image_id, z) != self._shown:
            if image_id == self._shown[0]:
                self._step = 1 if z >= self._shown[1] else -1
            self._load(image_id, z)

    def _load(self, image_id: str, z: int) -> None:
        image = self.session.image
        assert image is not None
        size = image.shape[0] * image.shape[2] * image.shape[3] * np.dtype(image.dtype).itemsize
        is_linked = image.link is not None
        large = size > (OVERVIEW_BYTES if image.shape[1] == 1 else STACK_BYTES)
        self._missed = None
        loaded = self.session.loaded_plane(image_id, z)
        if loaded is not None and is_linked and image_id in self._whole_only:
            self._show(image_id, z, loaded)
            return
        overview = self._overview_of(image_id, z) if large or is_linked else None
        if overview is not None:
            self._show(image_id, z, None, overview)
        elif loaded is not None or (size <= LOAD_HERE_BYTES and not is_linked):
            try:
                plane = self.session.plane(image_id, z)
            except Exception as error:
                self._on_unreadable(error)
                return
            self._show(image_id, z, plane)
        else:
            self._overview = None
            self._load_voxels(image_id, z)

    def _overview_of(self, image_id: str, z: int) -> Overview | None:
        """The stored levels of a plane; what another one told of them is not read again."""
        file, image = self.session.file, self.session.image
        assert file is not None
        assert image is not None
        known = self._overview
        if known is not None and known.image is image and known.file is file:
            return known.at(z)
        return overview_of(file, image, z)

    def voxels_missed(self) -> None:
        """Read the plane, once somebody looks closely; from afar the overview is all there is."""
        if self._missed is None:
            self._missed = self._shown
            QTimer.singleShot(0, self, self._load_missed)  # not while it is painted

    def _load_missed(self) -> None:
        session = self.session
        if session.file is not None and self._missed == (session.image_id, session.z):
            self._load_voxels(*self._missed)

    def _load_voxels(self, image_id: str, z: int) -> None:
        self.loading_changed.emit(True)
        self.session.background.start(
            "Loading image",
            lambda task: self._read(image_id, z),
            lambda plane: self._on_loaded(image_id, z, plane),
            lambda error: self._on_unreadable(error, image_id, z),
        )

    def _read(self, image_id: str, z: int) -> np.ndarray | None:
        """In the background: voxels, unless another plane has been chosen since."""
        session = self.session
        wanted = (image_id, z) == (session.image_id, session.z)
        return session.plane(image_id, z) if wanted else None

    # -- tiles -----------------------------------------------------------------------------------

    def _tiled(self, overview: Overview) -> TiledPyramid:
        """A plane that is read tile by tile as it is looked at."""

        def read(request: TileRequest) -> np.ndarray | None:
            (image_id, z, level, _, _), *place = request
            if level:
                return overview.at(z).read(level, *place)
            part = overview.file.read_part(image_id, z, *place)
            if part is None:
                raise NoPartsError
            return part

        self._loader.read_with(read)
        place = overview.image_id, overview.z
        picture = TiledPyramid(*place, overview, self.session.tiles, self._loader.want)
        is_embedded = overview.image.link is None
        picture.has_voxels = is_embedded or overview.image_id not in self._whole_only
        return picture

    def _look_elsewhere(self) -> None:
        self._loader.drop()
        self.preview.view_moved()
        self._ahead_timer.start()
        super()._look_elsewhere()
        self.looked_elsewhere.emit()

    def _on_tile(self, request: TileRequest) -> None:
        """A tile is there: what it covers is painted again."""
        picture, (image_id, z, level, _, _) = self.picture, request.key
        if not isinstance(picture, TiledPyramid) or (image_id, z) != (picture.image_id, picture.z):
            return
        self._ahead_timer.start()
        (height, width), (high, wide) = picture.size_yx, picture.sizes_yx[level]
        sy, sx = height / high, width / wide
        y0, y1 = math.floor(request.y0 * sy), math.ceil(request.y1 * sy)
        self.update_box(
            Box(z, y0, math.floor(request.x0 * sx), z + 1, y1, math.ceil(request.x1 * sx))
        )

    def _on_preview_tile_failed(self, request: TileRequest, error: Exception) -> None:
        """As `_on_tile_failed`, of the prepared plane."""
        picture = self.picture
        if not isinstance(picture, TiledPyramid) or request.key.image_id != picture.image_id:
            return
        if picture.has_voxels:
            picture.has_voxels = False
            if not isinstance(error, NoPartsError):
                self._missed = self._shown  # once is enough
                self._on_unreadable(error, *self._shown)
            self._look_elsewhere()

    def _take_preview(self) -> None:
        """Show the plane as the network sees it once it is there, until then as it is."""
        prepared = self.preview.prepared
        if prepared is None or prepared.picture.size_yx != self.plane_size:
            self.set_stand_in(None)
        else:
            self.set_stand_in(prepared.picture, prepared.levels)

    def _on_tile_failed(self, request: TileRequest, error: Exception) -> None:
        """The voxels themselves cannot be had in parts, or not at all."""
        picture, (image_id, z, _, _, _) = self._pyramid, request.key
        if isinstance(error, NoPartsError):
            self._whole_only.add(image_id)
        if not isinstance(picture, TiledPyramid) or (image_id, z) != (picture.image_id, picture.z):
            return
        if picture.has_voxels:
            picture.has_voxels = False
            if not isinstance(error, NoPartsError):
                self._missed = self._shown  # once is enough
                self._on_unreadable(error, image_id, z)
            self._look_elsewhere()

    def _look_ahead(self) -> None:
        """Read what the next and the previous plane need, once this one is sharp."""
        picture, image = self._pyramid, self.session.image
        if not isinstance(picture, TiledPyramid) or image is None or image.shape[1] < 2:
            return
        planes = [picture.z + self._step * step for step in AHEAD]
        planes = [z for z in planes if 0 <= z < image.shape[1]]
        self._loader.ahead([request for z in planes for request in picture.ahead(z)])

    def _clear(self) -> None:
        self._loader.read_with(None)
        self._overview = None
        self._shown = ("", 0)
        self.preview.look_at("", 0)
        self.set_plane(None)
        self.set_layers(())

    def _on_links_changed(self) -> None:
        """The file of a linked image may be there again: then its voxels are read."""
        self.preview.try_again()
        file, image, picture = self.session.file, self.session.image, self._pyramid
        if self._missed is None or self._overview is None or file is None or image is None:
            return
        if file.links.last_state(image) == "found":
            self._missed = None
            if isinstance(picture, TiledPyramid):
                self.session.tiles.forget_lost(image.image_id)
                picture.has_voxels = image.image_id not in self._whole_only
            self.update()

    def _on_unreadable(self, error: Exception, image_id: str = "", z: int = 0) -> None:
        from orgseg_app.files.images.links import LinkError

        self.loading_changed.emit(False)
        if image_id and (image_id, z) != (self.session.image_id, self.session.z):
            return  # nobody looks at it any more
        if self._overview is None:
            self._clear()
            self.session.report_error(error)
        elif isinstance(error, LinkError):
            self.session.links_changed.emit()  # it is said as long as the image is looked at
        else:
            self.session.report_error(error)

    def _on_loaded(self, image_id: str, z: int, plane: np.ndarray | None) -> None:
        self.loading_changed.emit(False)
        if plane is not None and (image_id, z) == (self.session.image_id, self.session.z):
            self._show(image_id, z, plane, self._overview)

    def _show(
        self, image_id: str, z: int, plane: np.ndarray | None, overview: Overview | None = None
    ) -> None:
        """Show voxels, or the overview alone."""
        image = self.session.image
        assert image is not None
        other_image = image_id != self._shown[0]
        if other_image and self._shown[0] in self.session.series():
            self.display.stay(image_id)  # another moment is looked at just as this one
            other_image = False
        self._shown, self._overview = (image_id, z), overview
        picture = None if overview is None or plane is not None else self._tiled(overview)
        if picture is None:
            self._loader.read_with(None)
        if other_image and self.leads_display:
            self.display.blockSignals(True)
            if overview is not None:
                levels, reach = overview.levels, overview.value_range
            else:
                assert plane is not None
                levels, reach = auto_levels(plane, is_rgb=image.is_rgb), value_range(plane)
            self.display.set_image(image.channel_names, levels, reach, image_id, image.is_rgb)
            self.display.blockSignals(False)
        self.set_plane(plane, image.is_rgb, self.display.shown_levels(), picture)
        self.preview.look_at(image_id, z, overview)
        self._take_preview()
        if other_image and image_id in self._views:
            self.set_view(self._views[image_id])
        elif other_image:
            self.fit()
        self._ahead_timer.start()
        if other_image:
            self._draw_map()
        else:
            self._map_timer.start()
        if self.leads_display:
            self.display.changed.emit()
        else:
            self._on_display_changed()
        self.image_came()

    def _draw_map(self) -> None:
        picture, image = self._pyramid, self.session.image
        small = None
        if isinstance(picture, TiledPyramid):
            small = picture.coarsest
        elif isinstance(picture, PlanePyramid):
            small = picture.plane
        if image is None or small is None:
            self._minimap.set_plane(None)
            return
        self._minimap.set_plane(
            small, image.is_rgb, self.display.shown_levels(), self.display.colours
        )
        self.update(self._minimap.rect(self).toAlignedRect())

    def _take_auto_contrast(self) -> None:
        """Automatic contrast is that of the plane looked at: deep ones may be dimmer."""
        picture, image = self._pyramid, self.session.image
        if image is None or picture is None or not self.leads_display:
            return
        if isinstance(picture, PlanePyramid):
            levels = auto_levels(picture.plane, is_rgb=image.is_rgb)
            self.display.set_auto(levels, value_range(picture.plane))
        elif self._overview is not None:
            self.display.set_auto(self._overview.levels, self._overview.value_range)

    def _on_display_changed(self) -> None:
        display = self.display
        self.set_contrast(display.shown_levels(), display.gamma, display.channels, display.colours)
        self._refresh_overlay()

    def _refresh_overlay(self) -> None:
        shown = self._shown[0] and self.session.file is not None and not self._hidden_by_key
        self.set_layers(self.layers.overlays(*self._shown) if shown else ())
        self.layers_shown.emit()

    def _on_mask_changed(self, image_id: str, box: Box) -> None:
        if image_id == self._shown[0] and box.z0 <= self._shown[1] < max(box.z1, box.z0 + 1):
            self.update_box(box)

    @property
    def shown_image(self) -> str:
        """Id of the image that is seen; "" for none."""
        return self._shown[0]

    def views(self) -> dict[str, ViewState]:
        """Where each image is looked at, by its id; those that are fitted are left out."""
        known = {i: view for i, view in self._views.items() if i != self._shown[0]}
        if self._shown[0] and not self.is_fitted:
            known[self._shown[0]] = self.view_state()
        return known

    def remember_views(self, views: dict[str, ViewState]) -> None:
        """Look at images there when they are shown next."""
        self._views = dict(views)

    @property
    def is_shown(self) -> bool:
        """Whether the plane to be painted is the one that is seen (large ones take a moment)."""
        return bool(self.plane_size) and self._shown == (self.session.image_id, self.session.z)

    @property
    def hides_layers(self) -> bool:
        """True while a key is held that hides all layers."""
        return self._hidden_by_key

    def hide_overlay(self, hidden: bool) -> None:
        """Hide all layers while a key is held."""
        if hidden != self._hidden_by_key:
            self._hidden_by_key = hidden
            self._refresh_overlay()

    def minimap_rect(self) -> QRectF:
        """Where the minimap is, in widget coordinates; empty when hidden."""
        return self._minimap.rect(self)
