"""Ctrl-C, SIGTERM and a closed terminal: each ends a command with one line and its exit code.

Imports nothing that takes time, so that it is in place before anything that does is imported.
"""

from __future__ import annotations

import os
import signal
import sys

TYPE_CHECKING = False  # typing takes longer to import than all else here
if TYPE_CHECKING:
    from types import FrameType
    from typing import Final

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_BY_SIGNAL: Final = 128
"""A process that a signal ended has this plus the signal's number as its exit code."""
_IMPORT: Final = "<frozen importlib._bootstrap>"
_AGAIN_S: Final = 0.05


class Interrupted(KeyboardInterrupt):
    """A signal asks the command to end."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.exit_code = _BY_SIGNAL + number


def listen() -> None:
    """Raise Interrupted for each of the signals that is not ignored (nohup ignores one).

    It is raised again until it is on its way, for native code may swallow it; and not while a
    module is imported, for a native library that is cut off while it loads may abort.
    """
    received: list[int] = []

    def interrupt(number: int, frame: FrameType | None) -> None:
        received.append(number)
        again(number, frame)

    def again(_: int, frame: FrameType | None) -> None:
        if _is_on_its_way(sys.exc_info()[1]):
            return
        signal.setitimer(signal.ITIMER_REAL, _AGAIN_S)
        if not _is_importing(frame):
            raise Interrupted(received[-1])

    sys.unraisablehook = _quiet
    signal.signal(signal.SIGALRM, again)
    for number in _SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, interrupt)


def _stop_raising() -> None:
    signal.setitimer(signal.ITIMER_REAL, 0)


def _quiet(raised: sys.UnraisableHookArgs) -> None:
    if not isinstance(raised.exc_value, Interrupted):
        sys.__unraisablehook__(raised)


def end_at_once() -> None:
    """End the process at once when a signal comes: the work is over, and nothing can be lost."""
    _stop_raising()
    for number in _SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, lambda number, _: os._exit(_BY_SIGNAL + number))


def interrupted(exc: KeyboardInterrupt) -> int:
    """Write what an interrupted command leaves to stderr, and return its exit code."""
    _stop_raising()
    from ingot.cli.terminal import tell

    tell("ingot: interrupted; what was committed stays, run the command again to go on")
    return exc.exit_code if isinstance(exc, Interrupted) else _BY_SIGNAL + signal.SIGINT


def _is_on_its_way(handled: BaseException | None) -> bool:
    while handled is not None and not isinstance(handled, Interrupted):
        handled = handled.__context__
    return handled is not None


def _is_importing(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code.co_filename == _IMPORT:
            return True
        frame = frame.f_back
    return False
