"""EPUB comics: the images its spine shows, in reading order.

Source: EPUB 3.3, W3C Recommendation (package document, spine, page-progression-direction, encryption.xml).
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit
from xml.etree import ElementTree

from comix.core.errors import ItemError
from comix.io.containers.members import Member, is_image_name
from comix.io.containers.regions import Region, read_regions
from comix.io.containers.zips import ZipContainer

_FONT_METHODS: Final = ("http://www.idpf.org/2008/embedding", "http://ns.adobe.com/pdf/enc#RC")
"""Font obfuscation; any other method in encryption.xml is copy protection."""


class EpubContainer(ZipContainer):
    """An EPUB; members are all files of its ZIP, pages the images its spine leads to.

    Raises:
        ItemError: ``drm_protected``, ``archive_damaged``, ``archive_encrypted``.
    """

    kind = "epub"

    def __init__(self, path: Path, *, scratch: Path | None = None) -> None:
        super().__init__(path, scratch=scratch)
        self._by_name = {member.name: member for member in self._members}
        try:
            self._refuse_drm()
            self._opf_name = self._find_opf()
            self._package = self._parse(self._by_name[self._opf_name]) if self._opf_name else None
        except BaseException:
            self.close()
            raise
        spine = _child(self._package, "spine")
        direction = spine.get("page-progression-direction", "") if spine is not None else ""
        self.reading_direction = direction if direction in ("ltr", "rtl") else ""

    def page_order(self) -> list[Member]:
        """Images in spine order, each once; in natural order of names when the spine shows none.

        Raises:
            ItemError: ``archive_no_images``.
        """
        pages = list(dict.fromkeys(self._spine_images()))
        return pages or super().page_order()

    def metadata_files(self) -> dict[str, bytes]:
        """Metadata files, and the package document as ``content.opf``."""
        found = super().metadata_files()
        if self._opf_name:
            found["content.opf"] = self.read(self._by_name[self._opf_name])
        return found

    def regions(self) -> dict[int, list[Region]]:
        """Position of a page image -> the regions its publisher drew on it, in reading order.

        Regions count on the page, not the image: only pages that show one image, which then fills the page, have them.
        """
        manifest = _child(self._package, "manifest")
        found: dict[int, list[Region]] = {}
        for item in manifest if manifest is not None else ():
            if not {"data-nav", "nav"} & set(item.get("properties", "").split()):
                continue
            document = self._resolve(self._opf_name, item.get("href", ""))
            if document is None:
                continue
            try:
                by_link = read_regions(self._parse(document))
            except ItemError:
                continue  # navigation never costs the pages
            for link, regions in by_link.items():
                page = self._resolve(document.name, link)
                images = [] if page is None else [page] if is_image_name(page.name) else list(self._images_of(page))
                if len(images) == 1:
                    found.setdefault(images[0].index, []).extend(regions)
        return found

    def _refuse_drm(self) -> None:
        if "META-INF/sinf.xml" in self._by_name:
            raise ItemError("drm_protected", "EPUB with Apple's FairPlay")
        member = self._by_name.get("META-INF/encryption.xml")
        if member is None:
            return
        for element in self._parse(member).iter():
            method = element.get("Algorithm", "") if _local(element) == "EncryptionMethod" else ""
            if method and method not in _FONT_METHODS:
                raise ItemError("drm_protected", f"EPUB encrypted with {method}")

    def _find_opf(self) -> str:
        """Name of the package document, "" when there is none."""
        member = self._by_name.get("META-INF/container.xml")
        if member is not None:
            for element in self._parse(member).iter():
                name = unquote(element.get("full-path", "")) if _local(element) == "rootfile" else ""
                if name in self._by_name:
                    return name
        return next((name for name in self._by_name if name.lower().endswith(".opf")), "")

    def _parse(self, member: Member) -> ElementTree.Element:
        content = self.read(member)
        try:
            if b"<!ENTITY" in content:
                raise ItemError("archive_damaged", f"EPUB: {member.name} declares entities")
            return ElementTree.fromstring(content)
        except (ElementTree.ParseError, ValueError, LookupError, RecursionError) as error:
            raise ItemError("archive_damaged", f"EPUB: {member.name}: {error}") from error

    def _spine_images(self) -> Iterator[Member]:
        manifest, spine = _child(self._package, "manifest"), _child(self._package, "spine")
        if manifest is None or spine is None:
            return
        items = {item.get("id", ""): item for item in manifest}
        for reference in spine:
            item = items.get(reference.get("idref", ""))
            member = self._resolve(self._opf_name, item.get("href", "")) if item is not None else None
            if item is None or member is None:
                continue
            is_image = item.get("media-type", "").startswith("image/") and not _is_svg(member)
            if is_image or is_image_name(member.name):
                yield member
            else:
                yield from self._images_of(member)

    def _images_of(self, document: Member) -> Iterator[Member]:
        """Images that an XHTML or SVG document shows, in document order."""
        try:
            text = self.read(document).decode("utf-8", "replace")
        except ItemError:
            return
        links = _ImageLinks()
        links.feed(text)
        links.close()
        for link in links.found:
            member = self._resolve(document.name, link)
            if member is not None and is_image_name(member.name):
                yield member

    def _resolve(self, base: str, link: str) -> Member | None:
        """The member a link in ``base`` leads to, None for one that is not there or not inside."""
        parts = urlsplit(link)
        if parts.scheme or parts.netloc or not parts.path:
            return None
        folder = posixpath.dirname(base)
        for path in (unquote(parts.path), parts.path):
            member = self._by_name.get(posixpath.normpath(posixpath.join(folder, path)))
            if member is not None:
                return member
        return None


class _ImageLinks(HTMLParser):
    """Collects where ``<img src>``, SVG ``<image href>`` and ``<object data>`` point."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take the link of an image element."""
        wanted = {"img": ("src",), "image": ("href", "xlink:href"), "object": ("data",)}.get(tag.rsplit(":", 1)[-1], ())
        values = dict(attrs)
        link = next((values[name] for name in wanted if values.get(name)), None)
        if link:
            self.found.append(link)


def _child(parent: ElementTree.Element | None, name: str) -> ElementTree.Element | None:
    if parent is None:
        return None
    return next((element for element in parent if _local(element) == name), None)


def _local(element: ElementTree.Element) -> str:
    return element.tag.rsplit("}", 1)[-1] if isinstance(element.tag, str) else ""


def _is_svg(member: Member) -> bool:
    return member.name.lower().endswith((".svg", ".svgz"))
