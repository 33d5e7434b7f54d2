"""What a process does once before it computes, for speed and for the same result every time."""

from __future__ import annotations

from functools import cache

import torch

KEPT = 31 << 20  # bytes; the GNU C library learns from blocks of less than 32 MiB
VECTOR_FUNCTIONS = (torch.cos, torch.sin, torch.exp, torch.log, torch.log10, torch.sqrt, torch.tanh)


@cache
def prepare() -> None:
    """Before the first picture of a process."""
    keep_freed_memory()
    choose_kernels()


def keep_freed_memory() -> None:
    """Have the buffers of one batch used again for the next, on systems with the GNU C library.

    It gives large blocks back to the system as soon as they are freed, and every page of the next
    one costs a fault.  What counts as large it learns from the largest block freed so far, so one
    that is never written to, and costs nothing, teaches it (mallopt(3), M_MMAP_THRESHOLD).
    """
    torch.empty(KEPT, dtype=torch.uint8)


def choose_kernels() -> None:
    """Call each function of MKL's vector mathematics once, from one thread.

    It seems to look its kernels up at the first call.  Where that came from two threads at once,
    `torch.hann_window` was off by up to 7.5e-5 in eight of 23 processes of an Intel processor
    (PyTorch 2.13), and never at the second call; a processor of AMD showed none of it.
    """
    few = torch.ones(8)  # so few that no second thread joins
    for function in VECTOR_FUNCTIONS:
        function(few)
