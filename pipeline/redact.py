"""Secrets out of everything that is said: log records, tracebacks, journals, the command line.

Secrets are the values of the environment variables settings name for them; beside those, whatever
looks like one in a header or an address is hidden too. Errors of ours never hold a secret; this is
for the texts of others: libraries, servers, defects.
"""

from __future__ import annotations

import logging
import os
import re
import sys
import traceback
from collections.abc import Callable
from types import TracebackType
from typing import Any
from urllib.parse import quote, quote_plus

HIDDEN = "[hidden]"
_SHORTEST = 8  # a shorter value would blot out ordinary words
_VARIABLE = re.compile(
    r"^HEARTH_.+_(KEY|TOKEN|USER_ID|PASSWORD)$|^AWS_(SECRET_ACCESS_KEY|SESSION_TOKEN)$"
)
_NAMED = re.compile(
    r"(?P<name>api[-_]?key|x-auth-token|x-user-id|authorization|passw(?:or)?d|token|secret)"
    r"(?P<sign>[\"']?\s*[:=]\s*[\"']?(?:(?:bearer|basic)\s+)?)(?=\S*\d)[A-Za-z0-9._~+/%=-]{8,}",
    re.IGNORECASE,
)
_IN_ADDRESS = re.compile(r"(?<=://)[^/\s@:]*:[^/\s@]*(?=@)")


def secrets() -> list[str]:
    """The secrets in the environment, longest first."""
    found = {v for name, v in os.environ.items() if _VARIABLE.match(name) and len(v) >= _SHORTEST}
    return sorted(found, key=lambda secret: (-len(secret), secret))


def clean(text: str) -> str:
    """The text with every secret hidden, also where it is written as part of an address."""
    for secret in secrets():
        for form in (secret, quote(secret, safe=""), quote_plus(secret)):
            text = text.replace(form, HIDDEN)
    text = _IN_ADDRESS.sub(HIDDEN, text)
    return _NAMED.sub(rf"\g<name>\g<sign>{HIDDEN}", text)


def install() -> None:
    """From now on no log record of this process, of any library, and no traceback that ends it
    shows a secret. Doing it twice is fine."""
    made = logging.getLogRecordFactory()
    if not isinstance(made, _CleanRecords):
        logging.setLogRecordFactory(_CleanRecords(made))
    sys.excepthook = _print_clean


class _CleanRecords:
    """Makes log records whose message and traceback are clean, whoever formats them."""

    def __init__(self, make: Callable[..., logging.LogRecord]) -> None:
        self._make = make

    def __call__(self, *args: Any, **kwargs: Any) -> logging.LogRecord:
        record = self._make(*args, **kwargs)
        try:
            message = record.getMessage()
        except (TypeError, ValueError, KeyError):  # a library's mistake in its own message
            message = f"{record.msg} {record.args}"
        cleaned = clean(message)
        if cleaned != message:
            record.msg, record.args = cleaned, None
        if record.exc_info and record.exc_info[1] is not None:
            record.exc_text = clean(_formatted(record.exc_info[1]))
        return record


def _print_clean(
    _kind: type[BaseException], error: BaseException, _trace: TracebackType | None
) -> None:
    sys.stderr.write(clean(_formatted(error)) + "\n")


def _formatted(error: BaseException) -> str:
    return "".join(traceback.format_exception(error)).rstrip("\n")
