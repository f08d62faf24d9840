"""How different families of models write a box, and back to page pixels.

Source: Gemini's documentation (``box_2d`` as ``[ymin, xmin, ymax, xmax]``, 0 to 1000), Qwen2-VL's and Qwen3-VL's (0 to 1000,
``[x1, y1, x2, y2]``), Qwen2.5-VL's (``bbox_2d`` in pixels of the picture it sees).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from comix.core.geometry import Box


@dataclass(frozen=True, slots=True)
class Coordinates:
    """One family's form of a box.

    Attributes:
        key: what it calls a box in JSON.
        scale: coordinates run from 0 to this over each side of the picture; 0 for pixels of the picture that is sent.
        y_first: ``[y1, x1, y2, x2]`` instead of ``[x1, y1, x2, y2]``.
    """

    key: str
    scale: float
    y_first: bool

    @property
    def words(self) -> str:
        """The form in words, for a prompt.

        >>> FORMS["gemini"].words
        '[y1, x1, y2, x2], 0 to 1000 from the top left corner over the whole height and width'
        """
        order = "[y1, x1, y2, x2]" if self.y_first else "[x1, y1, x2, y2]"
        if not self.scale:
            return f"{order}, pixels from the top left corner"
        sides = "height and width" if self.y_first else "width and height"
        return f"{order}, 0 to {self.scale:g} from the top left corner over the whole {sides}"

    def written(self, box: Box, width: float, height: float) -> list[int]:
        """A box as this family writes it.

        Args:
            box: pixels of the picture that the model sees.
            width: of that picture, pixels; likewise ``height``.

        >>> FORMS["gemini"].written(Box(10, 20, 50, 100), 100, 200)
        [100, 100, 600, 600]
        """
        left, top, right, bottom = box.xyxy
        if self.scale:
            left, right = left / width * self.scale, right / width * self.scale
            top, bottom = top / height * self.scale, bottom / height * self.scale
        numbers = (top, left, bottom, right) if self.y_first else (left, top, right, bottom)
        return [round(number) for number in numbers]

    def read(self, numbers: Sequence[float], width: float, height: float) -> Box:
        """The box that such numbers mean, in pixels of the picture that the model saw.

        >>> FORMS["qwen"].read([100, 100, 600, 600], 100, 200)
        Box(x=10.0, y=20.0, w=50.0, h=100.0)

        Raises:
            ValueError: not four numbers.
        """
        if len(numbers) != 4:
            raise ValueError(f"a box has four numbers; got {len(numbers)}")
        first, second, third, fourth = (float(number) for number in numbers)
        left, top, right, bottom = (second, first, fourth, third) if self.y_first else (first, second, third, fourth)
        if self.scale:
            left, right = left * width / self.scale, right * width / self.scale
            top, bottom = top * height / self.scale, bottom * height / self.scale
        return Box.from_xyxy(left, top, right, bottom)


FORMS: Mapping[str, Coordinates] = MappingProxyType(
    {
        "pixels": Coordinates("box", 0, False),
        "gemini": Coordinates("box_2d", 1000, True),
        "qwen": Coordinates("bbox_2d", 1000, False),
        "qwen2.5": Coordinates("bbox_2d", 0, False),
    }
)
"""Name in a config (``coordinates:``) -> form."""
