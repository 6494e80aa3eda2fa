"""Pages that are copied to the clipboard and saved as pictures."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QBuffer, QByteArray, QIODevice, QPoint, QRect, QSize, Qt
from PySide6.QtGui import (
    QContextMenuEvent,
    QGuiApplication,
    QImage,
    QImageWriter,
    QPainter,
)
from PySide6.QtWidgets import QFileDialog, QMenu, QWidget

from orgseg_app.gui.session import Session
from orgseg_app.gui.style import theme


class PictureView(QWidget):
    """What a kind of page draws with any painter can be copied, and saved as SVG or PNG."""

    title = "Figure"
    noun = "figure"
    """In menus, file names and sentences: "The figure could not be saved"."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self.setAccessibleName(self.title)

    # -- what a kind of page says ------------------------------------------------------------------

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to copy or save."""
        raise NotImplementedError

    def picture_size(self) -> QSize:
        """How large the picture is, in the window's pixels."""
        raise NotImplementedError

    def paint_to(self, painter: QPainter) -> None:
        """Draw the picture, without its ground."""
        raise NotImplementedError

    def fill_menu(self, menu: QMenu) -> None:
        """Put more into the menu of the right button."""

    # -- the person --------------------------------------------------------------------------------

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        """Copy, save."""
        if not self.is_empty:
            self._open_menu(event.globalPos())

    def _open_menu(self, at: QPoint) -> None:
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.fill_menu(menu)
        menu.addAction("Copy picture", self.copy)
        menu.addAction("Save as SVG or PNG…", self._on_save)
        menu.popup(at)

    def copy(self) -> None:
        """Put the picture on the clipboard, at three times its size."""
        QGuiApplication.clipboard().setImage(self.to_image())

    def to_image(self, ratio: float = 3.0) -> QImage:
        """The picture, at some times its size."""
        image = QImage(self.picture_size() * ratio, QImage.Format.Format_ARGB32_Premultiplied)
        image.setDevicePixelRatio(ratio)
        image.fill(theme.current().colour("panel"))
        painter = QPainter(image)
        self.paint_to(painter)
        painter.end()
        return image

    def save(self, path: Path) -> None:
        """Write the picture as ``.svg`` or ``.png``.

        Raises
        ------
        OSError
            When it cannot be written.
        """
        buffer = QBuffer()
        buffer.open(QIODevice.OpenModeFlag.WriteOnly)
        if path.suffix.lower() == ".svg":
            self._write_svg(buffer)
        else:
            QImageWriter(buffer, QByteArray(b"png")).write(self.to_image())
        path.write_bytes(buffer.data().data())

    def _write_svg(self, device: QIODevice) -> None:
        from PySide6.QtSvg import QSvgGenerator

        generator = QSvgGenerator()
        generator.setOutputDevice(device)
        size = self.picture_size()
        generator.setSize(size)
        generator.setViewBox(QRect(QPoint(0, 0), size))
        generator.setTitle(self.title)
        painter = QPainter(generator)
        painter.fillRect(QRect(QPoint(0, 0), size), theme.current().colour("panel"))
        self.paint_to(painter)
        painter.end()

    def _on_save(self) -> None:
        name, _ = QFileDialog.getSaveFileName(
            self, f"Save {self.noun}", f"{self.noun}.svg", "Pictures (*.svg *.png)"
        )
        if name:
            path = Path(name)
            path = path if path.suffix else path.with_suffix(".svg")
            try:
                self.save(path)
            except OSError as error:
                why = f"The {self.noun} could not be saved: {error.strerror}."
                self._session.message.emit(f"{why} Choose another folder.", "error")
