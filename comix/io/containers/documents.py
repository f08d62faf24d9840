"""PDF comics: embedded page images as they are, other pages rendered. EPUB lives in `comix.io.containers.epubs`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from PIL import features

from comix.core.errors import ItemError
from comix.io.containers.epubs import EpubContainer
from comix.io.containers.members import METADATA_NAMES, Member, MemberList, check_limits

__all__ = ["EpubContainer", "PdfContainer"]

_COVER: Final = 0.02
"""Share of the page's width or height by which an image may miss the page's edges and still be the page."""
_LEGIBLE: Final = 0.36
"""Least short side of a rendered page, as a share of the long side asked for: 800 pixels of 2200."""
_MAX_PIXELS: Final = 60_000_000


class PdfContainer(MemberList):
    """A PDF, one member per page.

    Args:
        path: the document.
        long_side: pixels of the longer side of a rendered page.

    Raises:
        ItemError: ``pdf_encrypted``, ``archive_damaged``, ``archive_empty``, ``too_many_members``.
    """

    kind = "pdf"

    def __init__(self, path: Path, *, long_side: int = 2200) -> None:
        import pymupdf

        super().__init__()
        self._long_side = long_side
        self._errors = (RuntimeError, ValueError, IndexError, TypeError, pymupdf.mupdf.FzErrorBase)
        pymupdf.TOOLS.mupdf_display_errors(False)
        pymupdf.TOOLS.mupdf_display_warnings(False)
        try:
            self._document: Any = pymupdf.open(path, filetype="pdf")
        except self._errors as error:
            raise ItemError("archive_damaged", f"PDF: {error}") from error
        try:
            self._list(path)
        except ItemError:
            self._document.close()
            raise
        except self._errors as error:
            self._document.close()
            raise ItemError("archive_damaged", f"PDF: {error}") from error

    def page_order(self) -> list[Member]:
        """Every page, in the order of the document."""
        return list(self._members)

    def read(self, member: Member) -> bytes:
        """The page's own JPEG, JPEG 2000 or PNG when that is all the page is, else a rendered PNG.

        Raises:
            ItemError: ``member_damaged``, ``member_missing``.
        """
        index = self._own(member)
        try:
            page = self._document.load_page(index)
            return _embedded_image(self._document, page) or self._rendered(page)
        except self._errors as error:
            raise ItemError("member_damaged", f"{member.name}: {error}") from error

    def metadata_files(self) -> dict[str, bytes]:
        """The document information as ``pdf.json``, and metadata files attached to the document."""
        raw = {key: str(value or "").strip("\0 ") for key, value in (self._document.metadata or {}).items()}
        info = {key: value for key, value in raw.items() if value}
        found = {"pdf.json": json.dumps(info, ensure_ascii=False, sort_keys=True).encode()}
        if "<ComicInfo" in info.get("keywords", ""):
            found["ComicInfo.xml"] = info["keywords"].encode()
        try:
            for name in self._document.embfile_names():
                standard = METADATA_NAMES.get(name.rsplit("/", 1)[-1].lower())
                if standard:
                    found[standard] = bytes(self._document.embfile_get(name))
        except self._errors:
            return found
        return found

    def _release(self) -> None:
        """Close the document."""
        self._document.close()

    def _list(self, path: Path) -> None:
        if self._document.needs_pass:
            raise ItemError("pdf_encrypted", "PDF with a password")
        if self._document.is_repaired and not _has_end_mark(path):
            raise ItemError("archive_damaged", "PDF: the end of the file is missing")
        self._members = [Member(f"page-{index + 1:04d}", index, -1) for index in range(self._document.page_count)]
        check_limits(self._members, path.stat().st_size)
        direction = self._document.xref_get_key(self._document.pdf_catalog(), "ViewerPreferences/Direction")[1]
        self.reading_direction = {"/R2L": "rtl", "/L2R": "ltr"}.get(direction, "")

    def _rendered(self, page: Any) -> bytes:
        """The page as PNG, its longer side ``long_side`` pixels; a webtoon strip larger, so that it stays legible."""
        import pymupdf

        rect = page.rect
        long, short = max(rect.width, rect.height, 1.0), max(min(rect.width, rect.height), 1.0)
        zoom = max(self._long_side / long, _LEGIBLE * self._long_side / short)
        zoom = min(zoom, (_MAX_PIXELS / (long * short)) ** 0.5)
        pixmap = page.get_pixmap(matrix=pymupdf.Matrix(zoom, zoom), alpha=False, colorspace=pymupdf.csRGB)
        return bytes(pixmap.tobytes("png"))


def _embedded_image(document: Any, page: Any) -> bytes | None:
    """Original bytes of the one upright image that is all of the page, else None."""
    drawn = [entry for entry in page.get_bboxlog() if entry[0] != "ignore-text"]
    if len(drawn) != 1 or drawn[0][0] != "fill-image" or page.rotation or page.first_annot or page.first_widget:
        return None
    infos = page.get_image_info(xrefs=True)
    if len(infos) != 1 or not infos[0]["xref"] or infos[0].get("has-mask"):
        return None
    if not _covers(infos[0], page):
        return None
    xref = infos[0]["xref"]
    if any(document.xref_get_key(xref, key)[0] != "null" for key in ("SMask", "Mask", "Decode", "ImageMask")):
        return None
    image = document.extract_image(xref)
    kinds = ("jpeg", "jpg", "png", *(("jpx", "jp2") if features.check("jpg_2000") else ()))
    if image.get("ext") not in kinds or image.get("colorspace") not in (1, 3):
        return None
    return bytes(image["image"])


def _covers(info: dict[str, Any], page: Any) -> bool:
    """Whether an image fills the page, neither turned, mirrored nor cropped."""
    a, b, c, d = info["transform"][:4]
    if a <= 0 or d <= 0 or abs(b) > 0.01 * a or abs(c) > 0.01 * d:
        return False
    x0, y0, x1, y1 = info["bbox"]
    rect = page.rect
    off_wide = max(abs(x0 - rect.x0), abs(x1 - rect.x1))
    off_high = max(abs(y0 - rect.y0), abs(y1 - rect.y1))
    return bool(off_wide <= _COVER * rect.width and off_high <= _COVER * rect.height)


def _has_end_mark(path: Path) -> bool:
    with path.open("rb") as opened:
        opened.seek(max(path.stat().st_size - 2048, 0))
        return b"%%EOF" in opened.read()
