"""What a process does once before it computes, for speed and for the same result every time."""

from functools import cache

import torch

KEPT = 31 << 20  # bytes; the GNU C library learns from blocks of less than 32 MiB
VECTOR_FUNCTIONS = (torch.cos, torch.sin, torch.exp, torch.log, torch.log10, torch.sqrt, torch.tanh)


@cache
def prepare() -> None:
    """Apply every workaround, once in a process."""
    keep_freed_memory()
    choose_kernels()


def keep_freed_memory() -> None:
    """Let the GNU C library reuse the buffers of one batch for the next.

    It returns large blocks to the system as soon as they are freed, and every page of the next
    block costs a fault.  It learns what counts as large from the largest block freed so far, so
    freeing one that was never written to, and so costs nothing, raises that limit (mallopt(3),
    M_MMAP_THRESHOLD).
    """
    torch.empty(KEPT, dtype=torch.uint8)


def choose_kernels() -> None:
    """Call each function of MKL's vector mathematics once, from one thread.

    MKL seems to choose its kernels at the first call.  When two threads made that call at once,
    `torch.hann_window` was off by up to 7.5e-5 in eight of 23 processes on an Intel processor
    (PyTorch 2.13), and never at the second call; an AMD processor was not affected.
    """
    few = torch.ones(8)  # too few for a second thread to join
    for function in VECTOR_FUNCTIONS:
        function(few)
