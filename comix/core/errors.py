"""One tree of errors; a message names the file or key, what was found, what was wanted and what to do."""

from __future__ import annotations


class ComixError(Exception):
    """Root of every error that CoMix raises on purpose; shown as one line, exit code 2."""


class UsageError(ComixError, ValueError):
    """A mistake in the command: unknown stage, key, option or value."""


class SecretOnCommandLineError(UsageError):
    """A key or token was given as an argument; refused before anything is written."""


class MissingInputError(ComixError, FileNotFoundError):
    """A stage was started before the one it needs, or a path does not exist."""

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""


class WorkspaceError(ComixError, OSError):
    """The workspace cannot be written or does not look like one."""

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""


class FileFormatError(ComixError, ValueError):
    """A file is not what its reader expects."""


class ItemError(ComixError, RuntimeError):
    """One input cannot be processed; becomes a `failed` row and never stops a run.

    Args:
        reason: short code in snake case, for example ``archive_encrypted``.
        detail: what was found, in words.
        hint: what the user can do; "" to use the reason's standing hint.
    """

    def __init__(self, reason: str, detail: str = "", hint: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason, self.detail, self.hint = reason, detail, hint

    def __reduce__(self) -> tuple[type[ItemError], tuple[str, str, str]]:
        return (type(self), (self.reason, self.detail, self.hint))
