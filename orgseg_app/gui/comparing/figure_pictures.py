"""PNG files of figures that are SVG, by Qt's own painter: no window is needed."""

from __future__ import annotations

from PySide6.QtCore import QBuffer, QByteArray, QIODevice, Qt
from PySide6.QtGui import QGuiApplication, QImage, QPainter
from PySide6.QtSvg import QSvgRenderer

SCALE = 300 / 96
"""Pixels of the PNG for one of the drawing: 300 to an inch, as journals ask for."""


class PictureMaker:
    """Draws figures.

    Text needs an application; where there is none, as on the command line, one is made that shows
    nothing.
    """

    def __init__(self) -> None:
        self._application = None
        if QGuiApplication.instance() is None:
            self._application = QGuiApplication(["orgseg", "-platform", "offscreen"])

    def png_of(self, svg: str) -> bytes:
        """The PNG file of a drawing, at 300 dots an inch; in any thread.

        Raises
        ------
        ValueError
            When it is no drawing.
        """
        renderer = QSvgRenderer(QByteArray(svg.encode("utf-8")))
        size = renderer.defaultSize() * SCALE
        if not renderer.isValid() or size.isEmpty():
            raise ValueError("The drawing of a figure cannot be read.")
        image = QImage(size, QImage.Format.Format_RGB32)
        image.fill(Qt.GlobalColor.white)
        for axis in (image.setDotsPerMeterX, image.setDotsPerMeterY):
            axis(round(300 / 0.0254))
        painter = QPainter(image)
        painter.setRenderHints(
            QPainter.RenderHint.Antialiasing | QPainter.RenderHint.TextAntialiasing
        )
        renderer.render(painter)
        painter.end()
        buffer = QBuffer()
        buffer.open(QIODevice.OpenModeFlag.WriteOnly)
        image.save(buffer, "PNG")  # type: ignore[call-overload]
        return bytes(buffer.data().data())
