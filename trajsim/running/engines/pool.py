"""Threads of engines."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any


class Threads:
    """Threads that do tasks in the order of submission.

    They are daemons: a process ends without waiting for a kernel.
    """

    def __init__(self, count: int) -> None:
        self._count, self._closed = count, False
        # Workers give tasks to publishers while others close them.
        self._lock = threading.Lock()
        self._queue: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []

    def do(self, task: Callable[[], None]) -> None:
        """Submit a task."""
        with self._lock:
            if self._closed:
                return
            if len(self._threads) < self._count:
                thread = threading.Thread(target=self._work, daemon=True)
                thread.start()
                self._threads.append(thread)
            self._queue.put(task)

    def close(self, wait: bool) -> None:
        """Start no more tasks; `wait` for those that are running."""
        with self._lock:
            self._closed = True
            for _ in self._threads:
                self._queue.put(None)
        for thread in self._threads if wait else []:
            thread.join()

    def _work(self) -> None:
        while (task := self._queue.get()) is not None:
            if not self._closed:
                task()
            # Release its objects before waiting for the next one.
            del task


def fulfil(promise: Future[Any], function: Callable[..., Any], *arguments: Any) -> None:
    """Set the result or exception of a future to that of a function."""
    try:
        promise.set_result(function(*arguments))
    except BaseException as error:
        promise.set_exception(error)
