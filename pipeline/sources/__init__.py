"""One source per configured site, behind one short interface.

To add a platform: a module here with a class that satisfies `Source`, its line in `open_source`,
its settings model in `pipeline/settings.py`, and its files in `sql/staging/`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from pipeline.records import Bookmarks, Part, StreamPlan


class Source(Protocol):
    """A configured site. It is handed a ready transport and knows nothing of the warehouse."""

    name: str
    platform: str

    def plan(self) -> list[StreamPlan]:
        """Probe the server once: the streams to read, each with its way in, or why it is not
        available. Raises FixAccess where the credentials are refused, SourceDown where nothing
        answers."""

    def read(self, stream: str, bookmarks: Bookmarks) -> Iterator[Part]:
        """Everything of this stream that is new, changed or gone since the bookmarks.

        May repeat a record; never skips one. Newest first on a first fill. Each part stands for
        itself: a kill between two parts costs nothing but the part being fetched."""
