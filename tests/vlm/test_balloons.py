from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from comix.core.geometry import Box
from comix.vlm.attach import panel_of
from comix.vlm.balloons import balloons_of
from comix.vlm.lettering import in_line_order, joined
from comix.vlm.lines import TextLine

Page = NDArray[np.uint8]
WHITE, BLACK = (255, 255, 255), (0, 0, 0)


def blank(colour: tuple[int, int, int] = (150, 170, 190), width: int = 600, height: int = 800) -> Page:
    return np.full((height, width, 3), colour, dtype=np.uint8)


def lettered(page: Page, text: str, x: float, y: float, ink: tuple[int, int, int] = BLACK) -> TextLine:
    """Writes a line of 20 pixel letters with its box as the engine would give it."""
    (width, height), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, 0.6, 2)
    cv2.putText(page, text, (int(x), int(y) + height), cv2.FONT_HERSHEY_SIMPLEX, 0.6, ink, 2, cv2.LINE_AA)
    return line(text, x - 3, y - 5, width + 6, height + 10)


def line(text: str, x: float, y: float, w: float, h: float, vertical: bool = False, confidence: float = 0.98) -> TextLine:
    return TextLine(text, ((x, y), (x + w, y), (x + w, y + h), (x, y + h)), confidence, vertical)


def balloon(page: Page, x: int, y: int, w: int, h: int) -> None:
    centre, axes = (x + w // 2, y + h // 2), (w // 2, h // 2)
    cv2.ellipse(page, centre, axes, 0, 0, 360, WHITE, -1)
    cv2.ellipse(page, centre, axes, 0, 0, 360, BLACK, 2, cv2.LINE_AA)


def caption(page: Page, x: int, y: int, w: int, h: int, colour: tuple[int, int, int] = (120, 230, 250)) -> None:
    cv2.rectangle(page, (x, y), (x + w, y + h), colour, -1)
    cv2.rectangle(page, (x, y), (x + w, y + h), BLACK, 2)


def texts(page: Page, lines: list[TextLine]) -> set[str]:
    return {found.text for found in balloons_of(page, lines)}


def test_no_lines_no_balloons() -> None:
    assert balloons_of(blank(), []) == []


def test_an_outline_parts_two_balloons_with_close_lines() -> None:
    page = blank()
    balloon(page, 100, 100, 220, 70)
    balloon(page, 100, 168, 220, 70)
    lines = [
        lettered(page, "ONE IS HERE", 145, 117),
        lettered(page, "AND MORE", 160, 139),
        lettered(page, "TWO IS HERE", 145, 183),
        lettered(page, "THE END", 165, 205),
    ]
    assert texts(page, lines) == {"ONE IS HERE AND MORE", "TWO IS HERE THE END"}


def test_balloons_side_by_side_stay_apart() -> None:
    page = blank()
    balloon(page, 40, 100, 200, 90)
    balloon(page, 238, 100, 200, 90)
    lines = [
        lettered(page, "LEFT SIDE", 85, 122),
        lettered(page, "GOES ON", 90, 146),
        lettered(page, "RIGHT SIDE", 280, 122),
        lettered(page, "AS WELL", 290, 146),
    ]
    assert texts(page, lines) == {"LEFT SIDE GOES ON", "RIGHT SIDE AS WELL"}


def test_utterances_on_open_ground_part_at_wider_gaps() -> None:
    page = blank(WHITE)
    rows = [("FIRST LINE HERE", 100), ("SECOND LINE", 123), ("THIRD LINE", 146), ("NEW SPEAKER", 178), ("GOES ON", 201)]
    lines = [lettered(page, text, 100, y) for text, y in rows]
    assert texts(page, lines) == {"FIRST LINE HERE SECOND LINE THIRD LINE", "NEW SPEAKER GOES ON"}


def test_light_letters_on_a_dark_box() -> None:
    page = blank()
    cv2.rectangle(page, (90, 90), (330, 150), BLACK, -1)
    cv2.rectangle(page, (90, 153), (330, 212), BLACK, -1)
    lines = [
        lettered(page, "NIGHT FELL", 110, 98, WHITE),
        lettered(page, "OVER TOWN", 110, 122, WHITE),
        lettered(page, "NOT A SOUND", 110, 160, WHITE),
        lettered(page, "WAS HEARD", 110, 184, WHITE),
    ]
    assert texts(page, lines) == {"NIGHT FELL OVER TOWN", "NOT A SOUND WAS HEARD"}


def test_columns_read_from_the_right_without_spaces() -> None:
    page = blank(WHITE)
    columns = [line("借金なんて！", 100, 100, 30, 170, True), line("そんな", 132, 100, 30, 90, True)]
    assert texts(page, columns) == {"そんな借金なんて！"}


def test_kinds_of_caption_balloon_and_sound() -> None:
    page = blank()
    caption(page, 20, 20, 260, 70)
    balloon(page, 300, 200, 240, 110)
    said = [lettered(page, "YES", 400, 218), lettered(page, "IT IS ME AGAIN", 340, 242), lettered(page, "SIR", 402, 266)]
    told = [lettered(page, "LATER THAT NIGHT", 30, 30), lettered(page, "IN THE CITY", 30, 54)]
    for radius in range(20, 400, 12):  # a drawn ground
        cv2.circle(page, (150, 640), radius, (40, 60, 80), 3)
    sound = TextLine("BOOM", ((60, 620), (240, 560), (262, 620), (82, 680)), 0.9)
    kinds = {found.text: found.kind for found in balloons_of(page, [*said, *told, sound])}
    assert kinds == {"YES IT IS ME AGAIN SIR": "dialogue", "LATER THAT NIGHT IN THE CITY": "narration", "BOOM": "sfx"}


def test_every_word_ends_in_exactly_one_balloon() -> None:
    generator = np.random.default_rng(5)
    page = np.asarray(generator.integers(0, 255, (400, 400, 3)), dtype=np.uint8)
    lines = [line(f"word{index}", *generator.integers(0, 350, 2), *generator.integers(5, 90, 2)) for index in range(60)]
    found = " ".join(balloon.text for balloon in balloons_of(page, lines)).split()
    assert sorted(found) == sorted(one.text for one in lines)


def test_lone_punctuation_on_drawn_ground_is_dropped_but_kept_in_a_balloon() -> None:
    page = blank()
    balloon(page, 100, 100, 90, 60)
    cv2.line(page, (0, 500), (600, 520), BLACK, 2)
    kept = lettered(page, "?!", 133, 120)
    assert texts(page, [kept, line("...", 300, 560, 30, 20)]) == {"?!"}


def test_a_slanted_row_is_one_row_but_stacked_lines_are_two() -> None:
    pieces = [line("GO", 60, 104, 30, 24), line("LET US", 0, 100, 55, 24), line("NOW", 10, 112, 60, 26)]
    assert joined(in_line_order(pieces)) == "LET US GO NOW"


def test_hyphens() -> None:
    assert joined([line("A NEIGHBOR-", 0, 0, 9, 9), line("HOOD", 0, 9, 9, 9)]) == "A NEIGHBORHOOD"
    assert joined([line("I -", 0, 0, 9, 9), line("I MEAN--", 0, 9, 9, 9), line("NO!", 0, 18, 9, 9)]) == "I - I MEAN-- NO!"


def test_inset_wins_over_the_panel_it_sits_in() -> None:
    assert panel_of(Box(110, 110, 20, 10), [Box(0, 0, 400, 400), Box(100, 100, 80, 80)], 500) == 1


def test_text_between_panels_stays_unassigned_unless_its_balloon_reaches_in() -> None:
    panels = [Box(0, 0, 200, 300)]
    column = Box(215, 20, 60, 200)
    assert panel_of(column, panels, 600) is None
    assert panel_of(column, panels, 600, outline=Box(180, 10, 100, 220)) == 0
    assert panel_of(column, [], 600) is None
