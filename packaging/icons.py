"""Draw the app's icon in the sizes and containers that systems want: ``icons.py SVG FOLDER``.

``orgseg-N.png`` for Linux, ``orgseg.ico`` for Windows and ``orgseg.icns`` for macOS; both
containers hold PNG pictures behind a short table.
"""

from __future__ import annotations

import os
import struct
import sys
from pathlib import Path

PNG_SIZES = (16, 24, 32, 48, 64, 128, 256, 512)
ICO_SIZES = (16, 24, 32, 48, 64, 128, 256)
ICNS_TYPES = {b"icp4": 16, b"icp5": 32, b"ic07": 128, b"ic08": 256, b"ic09": 512, b"ic10": 1024}
_HEADER = 8  # bytes of an ICNS file, and of each of its parts, before the picture


def draw(svg: Path, side: int) -> bytes:
    """The picture as PNG, `side` pixels wide and high."""
    from PySide6.QtCore import QBuffer, QByteArray, Qt
    from PySide6.QtGui import QImage, QPainter
    from PySide6.QtSvg import QSvgRenderer

    image = QImage(side, side, QImage.Format.Format_ARGB32)
    image.fill(Qt.GlobalColor.transparent)
    painter = QPainter(image)
    QSvgRenderer(str(svg)).render(painter)
    painter.end()
    kept = QByteArray()
    buffer = QBuffer(kept)
    buffer.open(QBuffer.OpenModeFlag.WriteOnly)
    image.save(buffer, "PNG")
    return kept.data()


def ico(pictures: dict[int, bytes]) -> bytes:
    """A Windows icon from PNG pictures by side."""
    table, data = b"", b""
    first = 6 + 16 * len(pictures)
    for side, png in pictures.items():
        shown = side % 256  # 0 stands for 256
        place = first + len(data)
        table += struct.pack("<BBBBHHII", shown, shown, 0, 0, 1, 32, len(png), place)
        data += png
    return struct.pack("<HHH", 0, 1, len(pictures)) + table + data


def icns(pictures: dict[bytes, bytes]) -> bytes:
    """A macOS icon from PNG pictures by type."""
    parts = b"".join(
        kind + struct.pack(">I", _HEADER + len(png)) + png for kind, png in pictures.items()
    )
    return b"icns" + struct.pack(">I", _HEADER + len(parts)) + parts


def main(svg: Path, folder: Path) -> None:
    """Write all of them."""
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    from PySide6.QtGui import QGuiApplication

    app = QGuiApplication(sys.argv[:1])
    folder.mkdir(parents=True, exist_ok=True)
    sides = {*PNG_SIZES, *ICO_SIZES, *ICNS_TYPES.values()}
    drawn = {side: draw(svg, side) for side in sorted(sides)}
    for side in PNG_SIZES:
        (folder / f"orgseg-{side}.png").write_bytes(drawn[side])
    (folder / "orgseg.ico").write_bytes(ico({side: drawn[side] for side in ICO_SIZES}))
    kinds = {kind: drawn[side] for kind, side in ICNS_TYPES.items()}
    (folder / "orgseg.icns").write_bytes(icns(kinds))
    del app


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
