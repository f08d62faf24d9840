"""Processes that make batches beside the one that trains."""

from __future__ import annotations

import cv2


def one_thread_each(num_workers: int) -> int:
    """Before a loader's processes are forked: each shall use one processor, or they only wait for each other; their number.

    Said here and not in them, because OpenCV's pool of threads does not survive the fork, and changing it there hangs.
    """
    if num_workers > 0:
        cv2.setNumThreads(1)
    return num_workers
