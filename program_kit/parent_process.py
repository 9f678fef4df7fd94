"""Lets a process end with the one that started it. For both programs."""

from __future__ import annotations

import ctypes
import os

_PR_SET_PDEATHSIG = 1  # Source: prctl(2)


def set_parent_death_signal(parent: int, signal_number: int) -> bool:
    """Get a signal when the parent's thread that started this process ends, however it does.

    False if it has ended already. Linux only; elsewhere nothing is asked for.
    """
    prctl = getattr(ctypes.CDLL(None), "prctl", None)
    if prctl is not None:
        prctl(_PR_SET_PDEATHSIG, signal_number)
    return os.getppid() == parent
