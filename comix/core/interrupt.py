"""Ctrl-C that lets work end in order."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from comix.core.progress import Progress


@contextmanager
def interruptible(message: str) -> Iterator[threading.Event]:
    """An event that Ctrl-C sets, saying ``message``, so that nothing new starts; a second Ctrl-C stops at once.

    Outside the main thread, where no signal arrives, the event is never set.
    """
    stop = threading.Event()

    def on_interrupt(_signal: int, _frame: FrameType | None) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()
        Progress.say(message)

    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before = signal.signal(signal.SIGINT, on_interrupt)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, before)
