"""The key of a service: from an environment variable only, and taken out of everything that is kept or shown."""

from __future__ import annotations

import base64
import os
import re
import urllib.parse

from comix.core.errors import UsageError

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_MARK = "[key removed]"


class Secret:
    """A key. Its value is in no attribute that is shown, logged or written.

    Args:
        variable: name of the environment variable; "" for a service that wants no key.

    Raises:
        UsageError: not a variable's name, or the variable is empty or holds what no key holds; never shows the value.
    """

    def __init__(self, variable: str) -> None:
        self.variable = variable
        if variable and not _NAME.fullmatch(variable):
            raise UsageError(
                "vlm.api_key_env: wanted the NAME of an environment variable; what was given is none and is not shown"
            )
        value = os.environ.get(variable, "").strip() if variable else ""
        if variable and not value:
            raise UsageError(
                f"{variable} is not set: put the service's key into this environment variable (export {variable}=...)"
            )
        if value and not re.fullmatch(r"[\x21-\x7e]+", value):
            raise UsageError(f"{variable} holds spaces, line breaks or letters that no key has; set it again (it is not shown)")
        self._value = value
        self._forms = _forms(value)

    def __repr__(self) -> str:
        return f"Secret({self.variable!r})"

    def reveal(self) -> str:
        """The value, for the request's header only; a service without one gets a word that says so."""
        return self._value or "no-key"

    def redacted(self, data: bytes) -> bytes:
        """Bytes without the key, as it is or encoded for URLs, JSON or base64."""
        for form in self._forms:
            if form in data:
                data = data.replace(form, _MARK.encode())
        return data

    def redacted_text(self, text: str) -> str:
        """A text without the key."""
        return self.redacted(text.encode("utf-8", "surrogatepass")).decode("utf-8", "replace")


def _forms(value: str) -> list[bytes]:
    """How a key may be spelled, longest first; nothing for values too short to be looked for."""
    if len(value) < 6:
        return [value.encode()] if value else []
    raw = value.encode()
    spelled = {raw, urllib.parse.quote(value, safe="").encode(), value.replace("/", "\\/").encode()}
    spelled.add(value.replace("\\", "\\\\").replace('"', '\\"').encode())
    for lead in (b"", b"Bearer ", b"bearer "):
        for shift in range(3):  # inside a longer base64 text, at any of its three alignments
            whole = base64.b64encode(b"\0" * shift + lead + raw)
            start = -(-(shift + len(lead)) * 4 // 3) + (1 if (shift + len(lead)) % 3 else 0)
            end = (shift + len(lead) + len(raw)) * 4 // 3
            spelled.update({whole[start:end], whole[start:end].translate(bytes.maketrans(b"+/", b"-_"))})
    spelled.add(raw.hex().encode())
    return sorted((one for one in spelled if len(one) >= 6), key=len, reverse=True)
