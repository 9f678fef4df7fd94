"""Ends a process together with its parent."""

from __future__ import annotations

import ctypes
import os

_PR_SET_PDEATHSIG = 1  # Source: prctl(2)


def set_parent_death_signal(parent: int, signal_number: int) -> bool:
    """Receive a signal when the parent's thread that started this process ends, however it does.

    False if the parent has already ended. Linux only; does nothing on other systems.
    """
    prctl = getattr(ctypes.CDLL(None), "prctl", None)
    if prctl is not None:
        prctl(_PR_SET_PDEATHSIG, signal_number)
    return os.getppid() == parent
