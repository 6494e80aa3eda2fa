"""The bound for the start: a window that imports what OrgSeg's window stands on and does nothing.

Prints ``READY <MB>`` after its first paint and ends, as ``main.py`` does with ``ORGSEG_READY``.
"""

# ruff: noqa: F401 - imported for what the import costs
import os
import sys

import cv2
import h5py
import numpy
import pyqtgraph
from PySide6.QtCore import QEvent, QObject, QTimer
from PySide6.QtWidgets import QApplication, QLabel, QMainWindow


class FirstPaint(QObject):
    """Ends the program when its window has been painted."""

    def eventFilter(self, watched, event):
        if event.type() == QEvent.Type.Paint:
            watched.removeEventFilter(self)
            QTimer.singleShot(0, self, self.report)
        return False

    def report(self):
        import psutil

        print("READY", round(psutil.Process().memory_info().rss / 2**20), flush=True)
        os._exit(0)


app = QApplication(sys.argv[:1])
window = QMainWindow()
window.setCentralWidget(QLabel("OrgSeg"))
window.resize(1280, 800)
watcher = FirstPaint(window)
window.installEventFilter(watcher)
window.show()
app.exec()
