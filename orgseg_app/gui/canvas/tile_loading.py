"""Tiles read off the window's thread, what is in sight first."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

from numpy.typing import NDArray
from PySide6.QtCore import QObject, QRunnable, QThreadPool, Signal

from orgseg_app.gui.canvas.tile_cache import LOST, Key, TileCache

LOG = logging.getLogger(__name__)


class Request(Protocol):
    """A tile that is wanted: a `TileRequest`, or one of another kind with a key of its own."""

    @property
    def key(self) -> Key:
        """Under which it is kept."""


Read = Callable[[Any], "NDArray[Any] | None"]


class NoPartsError(Exception):
    """Voxels that cannot be read in parts: the whole plane has to be decoded."""


class TileLoader(QObject):
    """Reads tiles in a thread of its own, the newest request first, and puts them in a cache.

    It has its own thread, for an import may keep `Background` busy for minutes.

    Parameters
    ----------
    cache
        Where tiles go.

    Signals
    -------
    arrived(Request)
        A tile is in the cache, or is `LOST`.
    failed(Request, error)
        Voxels could not be read: `NoPartsError`, or what the file said.
    """

    arrived = Signal(object)
    failed = Signal(object, object)

    def __init__(self, cache: TileCache, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.cache = cache
        self._pool = QThreadPool(self)
        self._pool.setMaxThreadCount(1)
        self._lock = threading.Lock()
        self._wanted: dict[Key, Request] = {}
        self._ahead: dict[Key, Request] = {}
        self._under_way: Key | None = None
        self._read: Read | None = None
        self._is_running = False

    def read_with(self, read: Read | None) -> None:
        """How tiles are read from now on; those asked for until now are forgotten."""
        with self._lock:
            self._wanted.clear()
            self._ahead.clear()
            self._read = read

    def want(self, requests: Sequence[Request]) -> None:
        """Read these next, the first first; those asked for before come later."""
        with self._lock:
            for request in reversed(requests):
                if request.key != self._under_way:
                    self._wanted.pop(request.key, None)
                    self._wanted[request.key] = request
        self._run()

    def ahead(self, requests: Iterable[Request]) -> None:
        """Read these, in this order, when nothing else is to be read; in place of earlier ones."""
        wanted = {r.key: r for r in requests if r.key not in self.cache}
        with self._lock:
            self._ahead = wanted
        self._run()

    def drop(self) -> None:
        """What was asked for is not in sight any more; what still is will be asked for again."""
        with self._lock:
            self._wanted.clear()
            self._ahead.clear()

    @property
    def is_idle(self) -> bool:
        """True when nothing is read or waits."""
        return not self._is_running

    def finish(self) -> None:
        """Forget everything and wait for the tile under way."""
        self.read_with(None)
        self._pool.waitForDone()

    def _run(self) -> None:
        with self._lock:
            if self._is_running or self._read is None or not (self._wanted or self._ahead):
                return
            self._is_running = True
        self._pool.start(_Pump(self))

    def _next(self) -> tuple[Request, Read] | None:
        with self._lock:
            self._under_way = None
            while self._read is not None and (self._wanted or self._ahead):
                is_wanted = bool(self._wanted)
                if is_wanted:
                    key, request = self._wanted.popitem()
                else:
                    key = next(iter(self._ahead))
                    request = self._ahead.pop(key)
                if is_wanted or key not in self.cache:
                    self._under_way = key
                    return request, self._read
            self._is_running = False
            return None

    def _pump(self) -> None:
        """In the other thread: read until nothing is wanted."""
        while (work := self._next()) is not None:
            request, read = work
            known = self.cache.get(request.key)
            if known is not None and known is not LOST:
                self.arrived.emit(request)  # another view's loader was first
                continue
            try:
                tile = read(request)
            except Exception as error:
                LOG.debug("a tile of %s", request.key.image_id, exc_info=True)
                self.cache.put(request.key, LOST)
                self.failed.emit(request, error)
                continue
            self.cache.put(request.key, LOST if tile is None else tile)
            self.arrived.emit(request)


class _Pump(QRunnable):
    def __init__(self, loader: TileLoader) -> None:
        super().__init__()
        self._loader = loader

    def run(self) -> None:
        self._loader._pump()
