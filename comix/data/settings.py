"""What ``dataset=`` chooses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DatasetSettings:
    """Which pages train, which validate and which test.

    Attributes:
        lists: DataSpec list files; empty for the workspace's ``lists/training.txt``.
        val_lists: pages that validate, in place of a share of ``lists``.
        tests: list files of pages that are looked at once, after training, by the name of the test.
        image_root: folder that page image paths are relative to; "" for the workspace.
        max_samples: at most this many pages; None for all.
        val_fraction: share of the pages that validates, whole books; 0 for none. Validation chooses the best epoch.
        test_fraction: share of the pages that is looked at once, after training, whole books; 0 for none.
        max_held_out: most pages that validate, and most that test: more would only take time.
        split_seed: which books validate; the same for all runs that shall be compared.
        num_workers: processes that decode pages, for models that read pixels; None for as many as there are processors to
            spare, 16 at most. Cached features need none.
        crop_cache_gb: what the panels' pictures may take on disk, for models that read pixels, 10^9 bytes; pages beyond are
            decoded whenever they are shown.
    """

    lists: Sequence[str] = ()
    val_lists: Sequence[str] = ()
    tests: Mapping[str, Sequence[str] | str] | None = None
    image_root: str = ""
    max_samples: int | None = None
    val_fraction: float = 0.2
    test_fraction: float = 0.1
    max_held_out: int = 4096
    split_seed: int = 0
    num_workers: int | None = None
    crop_cache_gb: float = 50.0
