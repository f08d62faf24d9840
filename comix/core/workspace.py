"""Where everything lies in a workspace; see DESIGN of the layout in ``docs/workspace.md``."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from comix.core.errors import MissingInputError, UsageError, WorkspaceError


@dataclass(frozen=True, slots=True)
class Workspace:
    """The folder that all stages share.

    Args:
        root: its path; made by `create`.
    """

    root: Path

    def create(self) -> Workspace:
        """Make the folder if absent and prove that it can be written.

        Raises:
            WorkspaceError: it is a file, or not writable.
        """
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            probe = self.root / f".write-test-{os.getpid()}"
            probe.touch()
            probe.unlink()
        except FileExistsError as error:
            raise WorkspaceError(f"workspace={self.root}: is a file; wanted a folder, name another") from error
        except OSError as error:
            raise WorkspaceError(
                f"workspace={self.root}: cannot be written ({error.strerror}); name a folder you may write to"
            ) from error
        return self

    @property
    def pages_table(self) -> Path:
        """The page table."""
        return self.root / "pages.parquet"

    @property
    def pages_dir(self) -> Path:
        """Page images."""
        return self.root / "pages"

    def detections_dir(self, detector: str) -> Path:
        """Folder of one detector's output."""
        return self.root / "detections" / _plain_name("detections", detector)

    def predictions(self, detector: str) -> Path:
        """COCO file of one detector."""
        return self.detections_dir(detector) / "predictions.json"

    def analysis_dir(self, reader: str) -> Path:
        """Folder of one reader's analysis files."""
        return self.root / "analysis" / _plain_name("reader", reader)

    def synth_dir(self, name: str) -> Path:
        """Folder of one series of composed pages."""
        return self.root / "synth" / _plain_name("name", name)

    @property
    def alignment_dir(self) -> Path:
        """Alignment table, CSV, subset lists and training manifest."""
        return self.root / "alignment"

    @property
    def dataspec_dir(self) -> Path:
        """DataSpec files, one per page."""
        return self.root / "dataspec"

    @property
    def lists_dir(self) -> Path:
        """DataSpec list files."""
        return self.root / "lists"

    @property
    def curation_table(self) -> Path:
        """Duplicates and page types."""
        return self.root / "curation.parquet"

    @property
    def report(self) -> Path:
        """The HTML report."""
        return self.root / "report" / "index.html"

    def journal(self, stage: str) -> Path:
        """Journal of one stage."""
        return self.root / "journal" / f"{stage}.sqlite"

    def require_pages(self) -> Path:
        """The page table's path.

        Raises:
            MissingInputError: no pages were extracted into this workspace yet; names the command.
        """
        if not self.pages_table.is_file():
            raise MissingInputError(
                f"workspace={self.root}: holds no pages yet ({self.pages_table.name} is missing); "
                f"first run: comix extract library=FOLDER workspace={self.root}"
            )
        return self.pages_table

    def require_predictions(self, detector: str) -> Path:
        """The COCO file's path.

        Raises:
            MissingInputError: this detector has not run yet; names the command and the detectors that have.
        """
        path = self.predictions(detector)
        if not path.is_file():
            others = self.detectors_present()
            known = f" (this workspace has detections by: {', '.join(others)})" if others else ""
            raise MissingInputError(
                f"{path}: no detections by {detector} yet{known}; first run: comix detect detector={detector} "
                f"workspace={self.root}"
            )
        return path

    def require_analyses(self, reader: str) -> Path:
        """The folder of one reader's analyses.

        Raises:
            MissingInputError: this reader has not run yet; names the command and the readers that have.
        """
        folder = self.analysis_dir(reader)
        if not folder.is_dir():
            others = self.readers_present()
            known = f" (this workspace has analyses by: {', '.join(others)})" if others else ""
            raise MissingInputError(
                f"{folder}: nothing read by {reader} yet{known}; first run: comix analyze vlm={reader} workspace={self.root}"
            )
        return folder

    def detectors_present(self) -> list[str]:
        """Names of detectors whose predictions are here, sorted."""
        return sorted(path.parent.name for path in self.root.glob("detections/*/predictions.json"))

    def readers_present(self) -> list[str]:
        """Names of readers whose analyses are here, sorted."""
        return sorted(path.name for path in self.root.glob("analysis/*") if path.is_dir())


def _plain_name(key: str, name: str) -> str:
    """A name that is one folder.

    Raises:
        UsageError: empty, or a path.
    """
    if not name or name in (".", "..") or "/" in name or "\\" in name:
        raise UsageError(f"{key}={name}: wanted a plain name, one folder below the workspace")
    return name
