"""Batches in the order of their steps; beside a graphics card some are drawn ahead."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from orgseg_app.learn.data.patches import Batch

_MOST_THREADS = 8


class Feed:
    """Draws batches, ahead of time where the processor would otherwise wait for the card.

    What a batch shows follows from its step alone, so it does not matter when it is drawn.

    Parameters
    ----------
    draw
        ``draw(step)`` gives the batch of a step; called from several threads when `ahead` is not 0.
    ahead
        Batches to draw ahead; 0 draws each one when it is asked for (on the processor, where
        drawing ahead would only take turns with learning).
    """

    def __init__(self, draw: Callable[[int], Batch], *, ahead: int = 0) -> None:
        self._draw, self._ahead = draw, ahead
        self._waiting: deque[tuple[int, Future[Batch]]] = deque()
        self._threads: ThreadPoolExecutor | None = None
        if ahead:
            import cv2

            cv2.setNumThreads(1)  # its own threads for each warp would quarrel with ours
            count = max(1, min(_MOST_THREADS, (os.cpu_count() or 2) - 1, ahead))
            self._threads = ThreadPoolExecutor(count, thread_name_prefix="patches")

    def batch(self, step: int) -> Batch:
        """The batch of a step."""
        if self._threads is None:
            return self._draw(step)
        if not self._waiting or self._waiting[0][0] != step:
            self.clear()
        next_step = self._waiting[-1][0] + 1 if self._waiting else step
        for wanted in range(next_step, step + self._ahead + 1):
            self._waiting.append((wanted, self._threads.submit(self._draw, wanted)))
        return self._waiting.popleft()[1].result()

    def clear(self) -> None:
        """Forget what was drawn ahead, because patches change their size."""
        for _, future in self._waiting:
            future.cancel()
        self._waiting.clear()

    def close(self) -> None:
        """End the threads."""
        self.clear()
        if self._threads is not None:
            self._threads.shutdown(cancel_futures=True)
