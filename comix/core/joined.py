"""Things that belong together because something joins them, directly or through others."""

from __future__ import annotations


class Joined:
    """Keys in groups; a group goes by its smallest key (disjoint sets with path halving).

    >>> joined = Joined()
    >>> joined.join("b", "c")
    >>> joined.join("c", "a")
    >>> [joined.group(key) for key in "abcd"]
    ['a', 'a', 'a', 'd']
    """

    def __init__(self) -> None:
        self._parent: dict[str, str] = {}

    def group(self, key: str) -> str:
        """The smallest key of the group that a key is in; itself when nothing was joined to it."""
        while self._parent.setdefault(key, key) != key:
            self._parent[key] = self._parent[self._parent[key]]
            key = self._parent[key]
        return key

    def join(self, one: str, other: str) -> None:
        """Make one group of the groups of two keys."""
        first, second = self.group(one), self.group(other)
        self._parent[max(first, second)] = min(first, second)
