"""What comes into a workspace: joined by id or exact path or as the user says, never by guess."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from tests.interop.conftest import BOOKS, HEIGHT, WIDTH, annotations_coco

BOOK = "漫画/一巻"


def canonical(data: bytes) -> bytes:
    """A document in the form in which equal documents are equal bytes; indentation between elements does not count."""
    parser = etree.XMLParser(remove_blank_text=True)
    return bytes(etree.tostring(etree.fromstring(data, parser).getroottree(), method="c14n"))


def coco(*images: dict[str, Any]) -> dict[str, Any]:
    """One panel on each of these images."""
    numbered = [{"id": number, "width": WIDTH, "height": HEIGHT, **image} for number, image in enumerate(images, start=1)]
    found = [{"id": one["id"], "image_id": one["id"], "category_id": 1, "bbox": [1, 2, 30, 40]} for one in numbered]
    return {"images": numbered, "annotations": found, "categories": [{"id": 1, "name": "panel"}]}


def unmatched(workspace: Path, name: str = "coco") -> dict[str, tuple[str, str]]:
    with (workspace / "detections" / name / "unmatched.csv").open(encoding="utf-8") as stream:
        return {row["item"].partition(": ")[2]: (row["reason"], row["candidates"]) for row in csv.DictReader(stream)}


def predicted(workspace: Path, name: str = "coco") -> dict[str, Any]:
    document = json.loads((workspace / "detections" / name / "predictions.json").read_text(encoding="utf-8"))
    return {image["page_id"]: image for image in document["images"]}


def test_nothing_is_joined_by_file_name_or_number(comix: Callable[..., Any], fresh: Path, tmp_path: Path) -> None:
    given = coco(
        {"file_name": "001.jpg", "page_id": "plain/0001"}, {"file_name": f"{BOOK}/001.png"}, {"file_name": f"{BOOK}\\002.png"},
        {"file_name": "001.png"}, {"file_name": "elsewhere/001.png"}, {"file_name": f"/abs/{BOOK}/001.png"},
        {"file_name": "x.png", "page_id": f"{BOOK}/0009"}, {"file_name": f"{BOOK}/001.PNG"},
    )  # fmt: skip
    (tmp_path / "in.json").write_text(json.dumps(given), encoding="utf-8")
    ran = comix("ingest", "format=coco", f"input={tmp_path / 'in.json'}", f"workspace={fresh}")
    assert "8 pages = 3 done + 0 failed + 5 skipped" in ran.out
    assert (ran.code, "unmatched.csv" in ran.out) == (0, True)
    assert set(predicted(fresh)) == {"plain/0001", f"{BOOK}/0001", f"{BOOK}/0002"}
    listed = unmatched(fresh)
    assert set(listed) == {"001.png", "elsewhere/001.png", f"/abs/{BOOK}/001.png", f"{BOOK}/0009", f"{BOOK}/001.PNG"}
    assert {reason for reason, _ in listed.values()} == {"no_such_page"}
    assert set(listed["elsewhere/001.png"][1].split("; ")) == {f"{book}/0001" for book in BOOKS}
    assert listed[f"/abs/{BOOK}/001.png"][1] != ""
    ran = comix("ingest", "format=coco", f"input={tmp_path / 'in.json'}", "image_root=/abs", "name=b", f"workspace={fresh}")
    assert unmatched(fresh, "b")[f"{BOOK}/001.png"][0] == "duplicate_entry"
    assert f"{BOOK}/0001" not in predicted(fresh, "b")


def test_when_nothing_at_all_matches_the_exit_code_says_so(comix: Callable[..., Any], fresh: Path, tmp_path: Path) -> None:
    (tmp_path / "in.json").write_text(json.dumps(coco({"file_name": "001.png"})), encoding="utf-8")
    ran = comix("ingest", "format=coco", f"input={tmp_path / 'in.json'}", f"workspace={fresh}")
    assert (ran.code, "1 skipped" in ran.out) == (1, True)
    assert "no_such_page" in comix("failures", "stage=ingest", "skipped=true", f"workspace={fresh}").out


def test_boxes_of_another_size_are_scaled_and_of_another_shape_refused(
    comix: Callable[..., Any], fresh: Path, tmp_path: Path
) -> None:
    given = coco({"file_name": f"{BOOK}/001.png", "width": WIDTH * 2, "height": HEIGHT * 2}, {"file_name": f"{BOOK}/002.png"})
    given["images"][1]["width"] = WIDTH * 2
    (tmp_path / "in.json").write_text(json.dumps(given), encoding="utf-8")
    ran = comix("ingest", "format=coco", f"input={tmp_path / 'in.json'}", f"workspace={fresh}")
    assert (ran.code, "1 done + 1 failed" in ran.out) == (1, True)
    assert "size_mismatch" in comix("failures", "stage=ingest", f"workspace={fresh}").out
    document = json.loads((fresh / "detections" / "coco" / "predictions.json").read_text(encoding="utf-8"))
    assert [one["bbox"] for one in document["annotations"]] == [[0.5, 1, 15, 20]]


def test_without_an_order_the_order_stage_completes_and_a_later_ingest_keeps_it(
    comix: Callable[..., Any], fresh: Path, tmp_path: Path
) -> None:
    document = annotations_coco()
    for one in document["annotations"]:
        one.pop("order", None)
    for image in document["images"]:
        image.pop("order_margin")
    (tmp_path / "in.json").write_text(json.dumps(document), encoding="utf-8")
    words = ["ingest", "format=coco", f"input={tmp_path / 'in.json'}", f"workspace={fresh}"]
    ran = comix(*words)
    assert "comix order detections=coco" in ran.out
    assert not any("order_margin" in image for image in predicted(fresh).values())
    ran = comix("export", "format=acbf", "detections=coco", f"output={tmp_path / 'out'}", f"workspace={fresh}")
    assert (ran.code, "first run: comix order detections=coco" in ran.err) == (2, True)
    assert comix("order", "detections=coco", f"workspace={fresh}").code == 0
    ordered = (fresh / "detections" / "coco" / "predictions.json").read_bytes()
    assert all("order_margin" in image for image in predicted(fresh).values())
    assert "0 to do" in comix(*words).out
    assert (fresh / "detections" / "coco" / "predictions.json").read_bytes() == ordered
    assert comix("export", "format=acbf", "detections=coco", f"output={tmp_path / 'out'}", f"workspace={fresh}").code == 0


def test_pages_that_left_the_input_leave_the_detections(comix: Callable[..., Any], fresh: Path, tmp_path: Path) -> None:
    both = coco({"file_name": f"{BOOK}/001.png"}, {"file_name": f"{BOOK}/002.png"}, {"file_name": "nowhere.png"})
    words = ["ingest", "format=coco", f"input={tmp_path / 'in.json'}", f"workspace={fresh}"]
    (tmp_path / "in.json").write_text(json.dumps(both), encoding="utf-8")
    assert comix(*words).code == 0
    (tmp_path / "in.json").write_text(json.dumps(coco({"file_name": f"{BOOK}/002.png"})), encoding="utf-8")
    ran = comix(*words)
    assert (ran.code, "1 pages = 1 done" in ran.out) == (0, True)
    assert set(predicted(fresh)) == {f"{BOOK}/0002"}
    assert not (fresh / "detections" / "coco" / "unmatched.csv").exists()


def test_a_name_that_another_stage_uses_is_refused(comix: Callable[..., Any], fresh: Path, tmp_path: Path) -> None:
    (tmp_path / "in.json").write_text(json.dumps(coco({"file_name": f"{BOOK}/001.png"})), encoding="utf-8")
    assert comix("detect", f"workspace={fresh}", "workers=0").code == 0
    before = (fresh / "detections" / "ensemble" / "predictions.json").read_bytes()
    ran = comix("ingest", "format=coco", f"input={tmp_path / 'in.json'}", "name=ensemble", f"workspace={fresh}")
    assert (ran.code, "made by another stage" in ran.err) == (2, True)
    assert (fresh / "detections" / "ensemble" / "predictions.json").read_bytes() == before


MANGA109 = f"""<?xml version="1.0" encoding="utf-8"?>
<!-- kept -->
<book title="Ichikan" edition="2"><characters><character id="00000001" name="Riko" age="12"/></characters><pages>
<page index="2" width="{WIDTH}" height="{HEIGHT}"><frame id="000000a1" xmin="10" ymin="10" xmax="140" ymax="190"/>
<body id="000000a2" xmin="30" ymin="60" xmax="70" ymax="160" character="00000001" pose="sits"/>
<onomatopoeia id="10000007" x0="1" y0="1" x1="5" y1="1" x2="5" y2="9">ドーン</onomatopoeia>
<text id="000000a3" xmin="20" ymin="20" xmax="80" ymax="50">やあ</text></page>
<page index="3" width="{WIDTH}" height="{HEIGHT}"/><page index="9" width="{WIDTH}" height="{HEIGHT}">
<frame id="000000b1" xmin="1" ymin="1" xmax="9" ymax="9"/></page></pages><speaker_to_text id="2" text_id="000000a3"/></book>"""

BENCHMARK = f"""<annotations><book title="Ichikan" shelf="3"><characters><character id="c7" name="Riko" age="12"/></characters>
<adds><advertisement id="x" name="Soap" type="promotion"/></adds><stories><story id="s1" name="One"/></stories>
<pages><page id="2" width="{WIDTH}" height="{HEIGHT}" type="color" story_id="s1">
<text id="t" points="20,20 80,20 80,50 20,50" balloon_id="b">Hello <!-- really --></text>
<panel id="p" points="10,10 140,10 140,190 10,190" style="wobbly"/><panel id="q" points="150,10 290,20.5 290,190 150,190"/>
<character id="k" points="30,60 70,60 70,160 30,160" character_id="c7"/><text id="u" points="22,22 80,22 80,52 22,52">Bye</text>
<balloon id="b" points="18,18 88,18 90,40 50,58 18,58"/><onomatopoeia id="o" points="200,100 250,100 250,140"/>
<link_sbsc id="l" points="50,50 40,70" character_id="k" text_id="u"/><mood value="dark"><deep>yes</deep></mood>
</page></pages></book></annotations>"""

ACBF = """<?xml version="1.0" encoding="utf-8"?><?xml-stylesheet type="text/css" href="a.css"?>
<ACBF xmlns="http://www.acbf.info/xml/acbf/1.1" xmlns:x="urn:x"><style type="text/css">text-area {color: red}</style>
<meta-data><book-info><author activity="Writer"><nickname>N</nickname></author><book-title>Ichikan</book-title>
<genre match="80">manga</genre><coverpage><image href="001.png"/></coverpage><languages><text-layer lang="en" show="false"/>
<text-layer lang="sk" show="true"/></languages></book-info></meta-data><body bgcolor="#ffffff">
<page bgcolor="#000000" transition="fade"><title lang="en">One</title><image href="001.png"/>
<text-layer lang="en" bgcolor="#ddb12a"><text-area points="20,20 80,20 80,50 20,50" type="speech" text-rotation="5">
<p>HE WAS <emphasis>TOO</emphasis> <strong>GOOD</strong><a href="#r">[*]</a></p></text-area></text-layer>
<text-layer lang="sk"><text-area points="20,20 80,20 80,50 20,50" type="speech"><p>BOL DOBRÝ</p></text-area></text-layer>
<frame points="10,10 140,10 141,190 9,190" bgcolor="#123456"/><frame points="150,10 290,10 290,190 150,190"/>
<jump page="2" points="1,1 2,1 2,2"/></page><page><image href="002.png"/></page></body>
<references><reference id="r"><p>A note</p></reference></references>
<data><binary content-type="image/png" id="i">QUJD</binary></data>
</ACBF>"""


@pytest.mark.parametrize(
    ("name", "document", "suffix", "extra"),
    [
        ("manga109", MANGA109, ".xml", ["first_page=2"]), ("comix_xml", BENCHMARK, ".xml", ["first_page=2"]),
        ("acbf", ACBF, ".acbf", []),
    ],
)  # fmt: skip
def test_a_document_comes_out_as_it_went_in(
    name: str, document: str, suffix: str, extra: list[str], comix: Callable[..., Any], fresh: Path, tmp_path: Path
) -> None:
    given = tmp_path / f"in{suffix}"
    given.write_text(document, encoding="utf-8")
    (tmp_path / "titles.json").write_text(json.dumps({"Ichikan": BOOK}), encoding="utf-8")
    books = f"book_map={tmp_path / 'titles.json'}"
    ran = comix("ingest", f"format={name}", f"input={given}", books, *extra, f"workspace={fresh}")
    assert ran.code == 0, ran.err
    assert f"{BOOK}/0001" in predicted(fresh, name)
    if name != "acbf":
        assert comix("order", f"detections={name}", f"workspace={fresh}").code == 0
    ran = comix("export", f"format={name}", f"detections={name}", f"output={tmp_path / 'out'}", f"workspace={fresh}")
    assert ran.code == 0, ran.err
    written = (tmp_path / "out" / f"{BOOK}{suffix}").read_bytes()
    if name != "acbf":  # the order was added since
        assert b' order="0"' in written
        written = written.replace(b' order="0"', b"").replace(b' order="1"', b"")
    assert canonical(written) == canonical(document.encode()), written.decode()


def test_speakers_come_through_links_and_other_languages_by_choice(
    comix: Callable[..., Any], fresh: Path, tmp_path: Path
) -> None:
    (tmp_path / "b.xml").write_text(BENCHMARK, encoding="utf-8")
    (tmp_path / "a.acbf").write_text(ACBF, encoding="utf-8")
    for name, file, extra in (("comix_xml", "b.xml", "first_page=2"), ("acbf", "a.acbf", "language=sk")):
        given = [f"format={name}", f"input={tmp_path / file}", f"book={BOOK}", extra, f"workspace={fresh}"]
        assert comix("ingest", *given).code == 0
    analysis = json.loads((fresh / "analysis" / "comix_xml" / BOOK / "0001.json").read_text(encoding="utf-8"))
    said = {one["text"]: one.get("speaker") for panel in analysis["panels"] for one in panel.get("dialogue", [])}
    assert said == {"Bye": "Riko"}
    analysis = json.loads((fresh / "analysis" / "acbf" / BOOK / "0001.json").read_text(encoding="utf-8"))
    assert [one["text"] for one in analysis["panels"][0]["dialogue"]] == ["BOL DOBRÝ"]
    ran = comix("ingest", "format=acbf", f"input={tmp_path / 'a.acbf'}", "language=fr", "name=x", f"workspace={fresh}")
    assert (ran.code, "it has en, sk" in ran.err) == (2, True)


def test_without_a_declared_number_or_book_a_page_without_path_is_not_taken(
    comix: Callable[..., Any], fresh: Path, tmp_path: Path
) -> None:
    (tmp_path / "b.xml").write_text(BENCHMARK, encoding="utf-8")
    for extra in ([], [f"book={BOOK}"], ["first_page=2"]):
        ran = comix("ingest", "format=comix_xml", f"input={tmp_path / 'b.xml'}", *extra, f"workspace={fresh}")
        assert (ran.code, "0 done + 0 failed + 1 skipped" in ran.out) == (1, True)
    ran = comix("ingest", "format=comix_xml", f"input={tmp_path / 'b.xml'}", "book=nope", f"workspace={fresh}")
    assert (ran.code, "'nope' is not in the workspace" in ran.err) == (2, True)


def test_a_folder_with_a_broken_document_fails_that_one_only(comix: Callable[..., Any], fresh: Path, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a.acbf").write_text(ACBF, encoding="utf-8")
    secret = tmp_path / "secret.txt"
    secret.write_text("hidden words")
    (folder / "b.acbf").write_text(f'<!DOCTYPE a [<!ENTITY x SYSTEM "{secret.as_uri()}">]><ACBF>&x;</ACBF>', encoding="utf-8")
    ran = comix("ingest", "format=acbf", f"input={folder}", f"book={BOOK}", f"workspace={fresh}")
    assert (ran.code, "3 pages = 2 done + 1 failed" in ran.out) == (1, True), ran.out + ran.err
    said = comix("failures", "stage=ingest", f"workspace={fresh}").out
    assert "entities" in said
    assert "hidden words" not in said
    ran = comix("ingest", "format=acbf", f"input={folder / 'b.acbf'}", f"workspace={fresh}")
    assert (ran.code, len(ran.err.strip().splitlines()), "entities" in ran.err) == (2, 1, True)


def test_read_only_formats(comix: Callable[..., Any], fresh: Path, tmp_path: Path) -> None:
    for folder in (tmp_path / "GT" / BOOK, tmp_path / "groundtruth" / BOOK):
        folder.mkdir(parents=True)
    (tmp_path / "kumiko.json").write_text(json.dumps(
        [{"filename": f"/pics/{BOOK}/001.png", "size": [WIDTH, HEIGHT], "panels": [[150, 10, 140, 180], [10, 10, 130, 180]]}]
    ), encoding="utf-8")  # fmt: skip
    page = {"page_index": 0, "image_paths": {"ja": f"{BOOK}/001.png"}, "frame": [{"x": 10, "y": 10, "w": 130, "h": 180}],
            "text": [{"x": 20, "y": 20, "w": 60, "h": 30, "text_ja": "やあ", "text_en": "Hi", "text_zh": "嗨"}]}  # fmt: skip
    (tmp_path / "annotation.json").write_text(json.dumps([{"book_title": "t", "pages": [page]}]), encoding="utf-8")
    (tmp_path / "groundtruth" / BOOK / "001.txt").write_text("8 10 10 140 190\n1 30 60 70 160\n7 35 62 55 82\n")
    (tmp_path / "GT" / BOOK / "001.svg").write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}"><svg class="Panel">'
        '<polygon points="10,10 140,10 140,190 10,190"/></svg><svg class="Line"><polygon points="20,20 80,20 80,50"/></svg>'
        "</svg>"
    )
    cases = {"kumiko": "kumiko.json", "openmantra": "annotation.json", "dcm772": "groundtruth", "ebdtheque": "GT"}
    wanted = {"kumiko": ["panel", "panel"], "openmantra": ["panel", "text"], "dcm772": ["panel", "character", "face"],
              "ebdtheque": ["panel", "text"]}  # fmt: skip
    roots = {"kumiko": "/pics", "dcm772": "images", "ebdtheque": "Pages", "openmantra": ""}
    for name, given in cases.items():
        ran = comix("ingest", f"format={name}", f"input={tmp_path / given}", f"image_root={roots[name]}", f"workspace={fresh}")
        if name in ("dcm772", "ebdtheque"):  # their images are .jpg: another path, another page, until the user says which
            assert "1 skipped" in ran.out
            continue
        assert ran.code == 0, ran.out + ran.err
        document = json.loads((fresh / "detections" / name / "predictions.json").read_text(encoding="utf-8"))
        names = {one["id"]: one["name"] for one in document["categories"]}
        assert [names[one["category_id"]] for one in document["annotations"]] == wanted[name]
        assert next(one["order"] for one in document["annotations"] if names[one["category_id"]] == "panel") == 0
    assert "やあ" in (fresh / "analysis" / "openmantra" / BOOK / "0001.json").read_text(encoding="utf-8")


def test_all_of_it_survives_a_kill_between_the_journal_and_the_files(
    comix: Callable[..., Any], annotated: Path, fresh: Path, tmp_path: Path
) -> None:
    given = tmp_path / "in.json"
    given.write_text(json.dumps(annotations_coco()), encoding="utf-8")
    words = ["ingest", "format=coco", f"input={given}", "name=theirs", f"workspace={fresh}"]
    assert comix(*words).code == 0
    whole = (fresh / "detections" / "theirs" / "predictions.json").read_bytes()
    for lost in (fresh / "detections", fresh / "journal" / "detect.sqlite", fresh / "analysis" / "theirs" / BOOK):
        shutil.rmtree(lost) if lost.is_dir() else lost.unlink()
        assert comix(*words).code == 0
        assert (fresh / "detections" / "theirs" / "predictions.json").read_bytes() == whole
    assert whole == (annotated / "detections" / "theirs" / "predictions.json").read_bytes()
