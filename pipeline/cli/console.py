"""What all commands share: the terminal, and options that mean the same everywhere."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipeline import settings
from pipeline.errors import FixSettings
from pipeline.journal import printable

out = Console(highlight=False, soft_wrap=True, markup=False)

Community = Annotated[
    str | None, typer.Option(help="Which community. Needed if hearth.toml has several.")
]
Run = Annotated[str | None, typer.Option(help="Which planned night. Default: the newest.")]


def plain(text: str) -> Text:
    """Forum text for a terminal: no markup, no control or direction marks."""
    return Text(printable(text))


def table(columns: Iterable[str], rows: Iterable[Iterable[object]], **look: Any) -> Table:
    """Rows under the names of their columns. What has no room goes on in the next line, for a name
    that was cut cannot be copied; a null is an empty cell."""
    made = Table(**look)
    for column in columns:
        made.add_column(plain(column), overflow="fold")
    for row in rows:
        cells = ("" if cell is None else cell for cell in row)
        made.add_row(*(cell if isinstance(cell, Text) else plain(str(cell)) for cell in cells))
    return made


@contextmanager
def reading(community: settings.Community) -> Iterator[None]:
    """While a published night is read: one that is damaged, or another user's, is told in words."""
    import duckdb

    try:
        yield
    except duckdb.IOException as error:
        raise FixSettings(
            f"{community.name}: the published night cannot be read ({str(error).splitlines()[0]}); "
            "if it is damaged, `hearth rollback` shows the one before"
        ) from None
