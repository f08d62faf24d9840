"""Analyses from files instead of a reader: a folder of analysis JSONs made elsewhere."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from comix.core.errors import FileFormatError, ItemError, MissingInputError
from comix.core.geometry import Box
from comix.core.page import PageRecord
from comix.io.analysis import Analysis, analysis_path, read_analysis


class ReplayReader:
    """Plays back ``FOLDER/<page_id>.json`` files; a page without a file is a failed row, nothing is guessed.

    Args:
        path: the folder.
        name: folder below ``analysis/``.

    Raises:
        MissingInputError: no such folder.
    """

    needs_panels = False

    def __init__(self, path: str, name: str = "replay") -> None:
        self.name, self._folder = name, Path(path)
        if not self._folder.is_dir():
            raise MissingInputError(f"vlm.path={path}: no such folder; wanted a folder of analysis JSON files")
        self.version = f"replay of {self._folder.resolve()}"

    def input_digest(self, page: PageRecord) -> str:
        """Changes when the file for this page does; "" when there is none."""
        path = analysis_path(self._folder, page.page_id)
        return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""

    def read(self, image: NDArray[np.uint8], panels: Sequence[Box], page: PageRecord) -> Analysis:
        """The analysis on file for this page.

        Raises:
            ItemError: ``missing_input`` when there is none, ``invalid_input`` when it is not an analysis of this page.
        """
        path = analysis_path(self._folder, page.page_id)
        try:
            analysis = read_analysis(path)
        except MissingInputError:
            raise ItemError("missing_input", f"{path} does not exist") from None
        except FileFormatError as error:
            raise ItemError("invalid_input", str(error)) from error
        if analysis.page_id != page.page_id:
            raise ItemError("invalid_input", f"{path} speaks of page {analysis.page_id!r}")
        return analysis
