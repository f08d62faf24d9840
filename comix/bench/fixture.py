"""One page that went wrong, with everything a developer needs to see it go wrong again."""

from __future__ import annotations

import io
import json
import platform
import zipfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path, PurePosixPath
from typing import Any

from comix import __version__
from comix.core.errors import FileFormatError
from comix.core.files import json_bytes, write_bytes
from comix.core.geometry import Box
from comix.core.page import PageRecord
from comix.core.workspace import Workspace
from comix.io.coco import CATEGORY_IDS, read_predictions
from comix.io.detections import PageDetections
from comix.io.draw import draw_boxes
from comix.io.images import decode_bgr, read_image_bytes

VERSION = 1
_PACKAGES = ("numpy", "opencv-python-headless", "pillow", "scipy", "torch", "torchvision", "timm")
_FACTS = (
    "page_id", "width", "height", "sha256", "page_type", "reading_direction", "language", "image_notes", "licence", "writer",
    "publisher", "series", "issue", "year",
)  # fmt: skip

_README = """A page that CoMix got wrong: {page_id}

{note}
page{suffix}        the page image, as it is in your library
fixture.json    facts of the page, who found what, settings, versions
detections/     what each detector found, COCO, with the reading order where there is one
given.json      panels that the publisher drew, COCO; only for books that have them
drawn.jpg       the boxes of {detector}, numbered in reading order
expected.json   the same boxes: put them right by hand, then this is what the page should come to

To make a regression test of it: correct `expected.json` (boxes as [x, y, width, height], `order` from 0), then

  comix evaluate target=detection truth=expected.json predictions=detections/{detector}.json images=.
  comix evaluate target=order truth=expected.json predictions=detections/{detector}.json images=.

THE IMAGE IS NOT YOURS TO PUBLISH unless its licence allows it. Known licence: {licence}.
Before you attach this to a public report, see that you may, or send fixture.json and detections/ without the image.
No file names or folders of your machine are in here, except what the page id and the metadata say.
"""


@dataclass(frozen=True, slots=True)
class Fixture:
    """What was saved: name inside the folder -> bytes; and what to warn of."""

    files: Mapping[str, bytes]
    licence: str
    n_boxes: int


def collect_fixture(workspace: Workspace, page: PageRecord, detector: str, note: str, settings: Mapping[str, Any]) -> Fixture:
    """Everything about one page.

    Args:
        workspace: where it lies.
        page: which.
        detector: whose boxes are expected and drawn; must have run.
        note: what is wrong, in the user's words.
        settings: of the runs that made it, without paths.

    Raises:
        MissingInputError: the detector has not run here.
        FileFormatError: it has, but not on this page.
        ItemError: the image cannot be read.
    """
    data = read_image_bytes(workspace.root / page.image_path)
    suffix = PurePosixPath(page.image_path).suffix.lower()
    found = {detector: read_predictions(workspace.require_predictions(detector))}
    found |= {name: read_predictions(workspace.predictions(name)) for name in workspace.detectors_present() if name != detector}
    pages = {name: columns[page.page_id] for name, columns in found.items() if page.page_id in columns}
    if detector not in pages:
        raise FileFormatError(f"{workspace.predictions(detector)}: has no page {page.page_id!r}; run comix detect again")
    own = pages[detector]
    panels = own.panels()
    facts = {
        "version": VERSION, "note": note, "page": {key: value for key, value in asdict(page).items() if key in _FACTS},
        "image": f"page{suffix}", "detector": detector,
        "order": {"direction": own.reading_direction, "margin": own.margin, "is_ordered": own.is_ordered},
        "found": {name: len(one.detections) for name, one in pages.items()}, "settings": settings, "versions": versions(),
    }  # fmt: skip
    files = {f"page{suffix}": data, "fixture.json": json_bytes(facts, indent=1)}
    files |= {f"detections/{name}.json": _coco(page, one, suffix) for name, one in pages.items()}
    files["expected.json"] = _coco(page, own, suffix, has_scores=False)
    given = _given(page, suffix)
    if given:
        files["given.json"] = given
    files["drawn.jpg"] = draw_boxes(decode_bgr(data), [one.box for one in panels], [str(n + 1) for n in range(len(panels))])
    licence = page.licence or "unknown"
    text = _README.format(
        page_id=page.page_id, note=f"{note}\n" if note else "", suffix=suffix, detector=detector, licence=licence
    )
    files["README.txt"] = text.encode()
    return Fixture(files, licence, len(own.detections))


def write_fixture(fixture: Fixture, target: Path, as_zip: bool) -> Path:
    """The folder ``target``, or the file ``target.zip``; its path. What was there before is replaced file by file."""
    if as_zip:
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in sorted(fixture.files.items()):
                archive.writestr(zipfile.ZipInfo(f"{target.name}/{name}"), data)
        path = target.with_name(f"{target.name}.zip")
        write_bytes(path, packed.getvalue())
        return path
    for name, data in fixture.files.items():
        write_bytes(target / name, data)
    return target


def versions() -> dict[str, str]:
    """Versions of what decides the result."""
    found = {
        "comix": __version__,
        "python": platform.python_version(),
        "system": platform.system(),
        "machine": platform.machine(),
    }
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "absent"
    return found


def _coco(page: PageRecord, found: PageDetections, suffix: str, has_scores: bool = True) -> bytes:
    annotations: list[dict[str, Any]] = []
    ranks = found.order or (None,) * len(found.detections)
    for number, (one, rank) in enumerate(zip(found.detections, ranks, strict=True), start=1):
        annotation: dict[str, Any] = {
            "id": number, "image_id": 1, "category_id": CATEGORY_IDS[one.category], "bbox": one.box.xywh, "area": one.box.area,
            "iscrowd": 0, "segmentation": [[value for point in one.polygon for value in point]] if one.polygon else [],
        }  # fmt: skip
        if has_scores:
            annotation["score"] = one.score
        if rank is not None:
            annotation["order"] = rank
        annotations.append(annotation)
    if not has_scores:
        annotations.sort(key=lambda one: one.get("order", len(annotations)))
    image = {
        "id": 1, "file_name": f"page{suffix}", "width": found.width or page.width, "height": found.height or page.height,
        "page_id": page.page_id, "reading_direction": found.reading_direction or page.reading_direction,
    }  # fmt: skip
    if found.is_ordered:
        image["order_margin"] = found.margin
    categories = [{"id": number, "name": name} for name, number in CATEGORY_IDS.items()]
    return json_bytes({"images": [image], "annotations": annotations, "categories": categories}, indent=1)


def _given(page: PageRecord, suffix: str) -> bytes:
    """The publisher's panels as COCO; empty without any."""
    regions = json.loads(page.regions) if page.regions else []
    boxes = [Box.from_xywh(one["box"]) for one in regions if one["kind"] == "panel"]
    if not boxes:
        return b""
    image = {"id": 1, "file_name": f"page{suffix}", "width": page.width, "height": page.height, "page_id": page.page_id}
    annotations = [
        {"id": rank + 1, "image_id": 1, "category_id": 1, "bbox": box.xywh, "area": box.area, "iscrowd": 0, "order": rank}
        for rank, box in enumerate(boxes)
    ]
    return json_bytes({"images": [image], "annotations": annotations, "categories": [{"id": 1, "name": "panel"}]}, indent=1)
