"""Conditions over the columns of a table, as people write them; nothing but comparing and counting can be done in one."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from comix.core.errors import UsageError

if TYPE_CHECKING:
    import pandas as pd

_COMPARE: Mapping[type[ast.cmpop], Callable[[Any, Any], Any]] = MappingProxyType(
    {
        ast.Eq: operator.eq, ast.NotEq: operator.ne, ast.Lt: operator.lt, ast.LtE: operator.le, ast.Gt: operator.gt,
        ast.GtE: operator.ge,
    }
)  # fmt: skip
_ARITHMETIC: Mapping[type[ast.operator], Callable[[Any, Any], Any]] = MappingProxyType(
    {ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv}
)
_WANTED = (
    "wanted a condition over columns such as quality_score >= 3 and page_type == 'interior' and is_canonical; "
    "there are and, or, not, == != < <= > >=, in, is None, + - * /, numbers, 'texts' and [lists]"
)


class Condition:
    """A checked condition.

    Args:
        text: as the user wrote it.
        columns: names that it may use.

    Raises:
        UsageError: not a condition, or an unknown column; names the nearest one.

    >>> import pandas as pd
    >>> table = pd.DataFrame({"score": [4, 1, None], "kind": ["interior", "cover", "interior"]})
    >>> Condition("kind == 'interior' and score >= 3", list(table)).of(table).tolist()
    [True, False, False]
    >>> Condition("score is None or kind in ['cover', 'ad']", list(table)).of(table).tolist()
    [False, True, True]
    """

    def __init__(self, text: str, columns: Sequence[str]) -> None:
        self.text = text
        try:
            self._tree = ast.parse(text.strip(), mode="eval").body
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            raise UsageError(f"subset={text}: not a condition ({error}); {_WANTED}") from error
        self._check(self._tree, columns)
        if not any(isinstance(node, ast.Name) for node in ast.walk(self._tree)):
            raise UsageError(f"subset={text}: names no column; {_WANTED}")

    def of(self, table: pd.DataFrame) -> pd.Series[bool]:
        """``(n,)`` bool: which rows meet it; a comparison with an empty cell is false.

        Raises:
            UsageError: it compares things that do not compare, or is no condition but a value.
        """
        try:
            return self._truth(self._tree, table)
        except (TypeError, ZeroDivisionError, ValueError) as error:
            if isinstance(error, UsageError):
                raise
            raise UsageError(f"subset={self.text}: {error}; texts compare with 'texts', numbers with numbers") from error

    def _check(self, tree: ast.expr, columns: Sequence[str]) -> None:
        for node in ast.walk(tree):
            if isinstance(node, ast.Name) and node.id not in columns:
                near = get_close_matches(node.id, columns, n=1, cutoff=0.5)
                guess = f" (did you mean {near[0]!r}?)" if near else ""
                raise UsageError(f"subset={self.text}: no column {node.id!r}{guess}; columns: {', '.join(columns)}")
            if isinstance(node, ast.operator | ast.cmpop | ast.boolop | ast.unaryop | ast.expr_context):
                allowed: bool = type(node) in {*_ARITHMETIC, *_COMPARE} or isinstance(
                    node, ast.In | ast.NotIn | ast.Is | ast.IsNot | ast.boolop | ast.Not | ast.USub | ast.Load
                )
            else:
                allowed = isinstance(
                    node, ast.BoolOp | ast.UnaryOp | ast.BinOp | ast.Compare | ast.Name | ast.Constant | ast.List | ast.Tuple
                ) and not (isinstance(node, ast.Constant) and not isinstance(node.value, str | int | float | None))
            if not allowed:
                raise UsageError(f"subset={self.text}: {type(node).__name__.lower()} is not allowed in it; {_WANTED}")

    def _value(self, node: ast.expr, table: pd.DataFrame) -> Any:
        match node:
            case ast.Constant():
                return node.value
            case ast.Name():
                return table[node.id]
            case ast.List() | ast.Tuple():
                return [self._value(one, table) for one in node.elts]
            case ast.BinOp():
                return _ARITHMETIC[type(node.op)](self._value(node.left, table), self._value(node.right, table))
            case ast.UnaryOp() if isinstance(node.op, ast.USub):
                return -self._value(node.operand, table)
            case _:
                return self._truth(node, table)

    def _truth(self, node: ast.expr, table: pd.DataFrame) -> pd.Series[bool]:
        match node:
            case ast.BoolOp():
                parts = [self._truth(one, table) for one in node.values]
                joined = parts[0]
                for part in parts[1:]:
                    joined = joined & part if isinstance(node.op, ast.And) else joined | part
                return joined
            case ast.UnaryOp() if isinstance(node.op, ast.Not):
                return ~self._truth(node.operand, table)
            case ast.Compare():
                return self._compared(node, table)
        return self._as_truth(self._value(node, table), table)

    def _compared(self, node: ast.Compare, table: pd.DataFrame) -> pd.Series[bool]:
        values = [node.left, *node.comparators]
        joined = self._one(values[0], node.ops[0], values[1], table)
        for left, how, right in zip(values[1:], node.ops[1:], values[2:], strict=False):
            joined = joined & self._one(left, how, right, table)
        return joined

    def _one(self, left: ast.expr, how: ast.cmpop, right: ast.expr, table: pd.DataFrame) -> pd.Series[bool]:
        import pandas as pd

        one, other = self._value(left, table), self._value(right, table)
        if isinstance(how, ast.Is | ast.IsNot):
            if other is not None or not isinstance(one, pd.Series):
                raise UsageError(f"subset={self.text}: `is` stands only in `column is None` and `column is not None`")
            return one.isna() if isinstance(how, ast.Is) else one.notna()
        if isinstance(how, ast.In | ast.NotIn):
            found = self._contained(one, other)
            return found if isinstance(how, ast.In) else ~found
        self._same_kind(one, other)
        return self._as_truth(_COMPARE[type(how)](one, other), table)

    def _contained(self, one: Any, other: Any) -> pd.Series[bool]:
        import pandas as pd

        if isinstance(one, pd.Series) and isinstance(other, list):
            return one.isin(other).astype(bool)
        if isinstance(one, str) and isinstance(other, pd.Series):
            return other.astype("string").str.contains(one, regex=False).fillna(value=False).astype(bool)
        raise UsageError(f"subset={self.text}: `in` is either column in ['a', 'b'] or 'text' in column")

    def _same_kind(self, one: Any, other: Any) -> None:
        """Equality of a text and a number is always false in pandas; here it is a mistake."""
        kinds = {_kind(value) for value in (one, other)} - {""}
        if len(kinds) > 1:
            raise UsageError(f"subset={self.text}: compares a text with a number; texts are written in quotes, numbers bare")

    def _as_truth(self, value: Any, table: pd.DataFrame) -> pd.Series[bool]:
        import pandas as pd

        if not isinstance(value, pd.Series):
            return pd.Series(bool(value), index=table.index)
        if _kind(value) == "text":
            raise UsageError(f"subset={self.text}: the column {value.name!r} holds text; compare it: {value.name} == '...'")
        return value.fillna(value=False).astype(bool)


def _kind(value: Any) -> str:
    """``text`` or ``number``; "" for nothing and for a column without any value."""
    import pandas as pd

    if isinstance(value, pd.Series):
        if pd.api.types.is_numeric_dtype(value) or pd.api.types.is_bool_dtype(value):
            return "number"
        values = value.dropna()
        if not len(values):
            return ""
        value = values.iloc[0]
    return "text" if isinstance(value, str) else "" if value is None or isinstance(value, list) else "number"
