"""What curation knows of each page before it looks at one, in columns: a library's worth stays small."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from comix.core.errors import FileFormatError
from comix.core.workspace import Workspace
from comix.io.coco import read_predictions

if TYPE_CHECKING:
    import pyarrow as pa

PAGE_COLUMNS = (
    "page_id", "book_id", "page_num", "container", "image_path", "width", "height", "sha256", "md5", "phash", "page_type",
)  # fmt: skip
WORD_COLUMNS = ("page_id", "n_all_words", "has_vlm_data", "vlm_json_path")


@dataclass(frozen=True, slots=True)
class PanelNumbers:
    """Panels of one page: how many, the largest one's share of the page, all panels' areas over the page's."""

    n: int
    largest: float
    covered: float


def read_columns(path: Path, columns: Sequence[str], stage: str) -> pa.Table:
    """Some columns of a Parquet file.

    Args:
        path: the file.
        columns: their names, all wanted.
        stage: which stage writes the file, for the message.

    Raises:
        FileFormatError: not Parquet, or a column is missing; names the command that mends it.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    mend = f"remove it and run: comix {stage}"
    try:
        with pq.ParquetFile(path) as opened:
            missing = [name for name in columns if name not in opened.schema_arrow.names]
            if missing:
                raise FileFormatError(f"{path}: has no column {', '.join(missing)}; {mend}")
            return opened.read(columns=list(columns))
    except (pa.ArrowException, OSError) as error:
        raise FileFormatError(f"{path}: not a readable Parquet file ({error}); {mend}") from error


def page_table(workspace: Workspace) -> pa.Table:
    """`PAGE_COLUMNS` of the page table, in its order.

    Raises:
        MissingInputError: no pages yet.
        FileFormatError: the file is damaged.
    """
    return read_columns(workspace.require_pages(), PAGE_COLUMNS, "extract")


def panel_numbers(workspace: Workspace, detector: str) -> dict[str, PanelNumbers]:
    """``page_id -> numbers`` of every page that the detector finished; the only place here that reads detections.

    Raises:
        MissingInputError: the detector has not run.
        FileFormatError: its file is damaged.
    """
    numbers = {}
    for page_id, page in read_predictions(workspace.require_predictions(detector)).items():
        shares = [panel.box.area / (page.width * page.height) for panel in page.panels()]
        numbers[page_id] = PanelNumbers(len(shares), round(max(shares, default=0.0), 4), round(sum(shares), 4))
    return numbers


@dataclass(frozen=True, slots=True)
class Reading:
    """What `align` knows of a page's text: ``n_words`` None when no reader has reached it, ``path`` of its analysis."""

    n_words: int | None
    path: str


def readings(workspace: Workspace) -> dict[str, Reading]:
    """``page_id -> reading`` from the alignment table; empty before `align` has run.

    Raises:
        FileFormatError: the table is damaged.
    """
    path = workspace.alignment_dir / "alignment.parquet"
    if not path.is_file():
        return {}
    columns: dict[str, list[Any]] = read_columns(path, WORD_COLUMNS, "align").to_pydict()
    rows = zip(*(columns[name] for name in WORD_COLUMNS), strict=True)
    return {
        str(page): Reading(int(n_words or 0), str(where or "")) if has_data else Reading(None, "")
        for page, n_words, has_data, where in rows
    }
