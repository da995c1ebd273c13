"""Commands for the data team."""

from __future__ import annotations

import csv
import json
import sys
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.text import Text

from pipeline import settings, steps, tonight
from pipeline.cli.console import Community, Run, out, plain, reading, table
from pipeline.errors import FixSettings
from pipeline.statements import spreadsheet_safe
from pipeline.warehouse import TABLES_ONLY

app = typer.Typer()
Output = Literal["table", "csv", "json"]
Restricted = Annotated[
    bool, typer.Option("--restricted", help="Use the file with names and texts.")
]


@app.command()
def query(
    sql: Annotated[str | None, typer.Argument(help="One statement. Without it: a prompt.")] = None,
    community: Community = None,
    restricted: Restricted = False,
    output: Annotated[Output, typer.Option(help="How to print rows.")] = "table",
) -> None:
    """Query the published file, read-only; it never has to wait for a night."""
    import duckdb

    home = settings.load(secrets=False).community(community)
    file = home.home / "published" / ("restricted.duckdb" if restricted else "current.duckdb")
    if not file.exists():
        raise FixSettings(f"{file} does not exist yet; `hearth nightly` publishes it")
    with reading(home), duckdb.connect(file.resolve(), read_only=True) as db:
        db.execute(TABLES_ONLY)
        if sql is not None:
            _show(db, sql, output)
            return
        out.print(f"{file.resolve().name}, read-only. An empty line ends. Try: SHOW ALL TABLES")
        with suppress(EOFError):
            while statement := out.input("hearth> ").strip():
                try:
                    _show(db, statement, output)
                except FixSettings as error:
                    out.print(plain(str(error)), style="red")


@app.command()
def rebuild(
    community: Community = None,
    run: Run = None,
    from_landing: Annotated[
        bool,
        typer.Option("--from-landing", help="Also make the work file anew from what was fetched."),
    ] = False,
) -> None:
    """Derive staging, marts and judgements from the records again, without the network.

    The published night stays as it is until `hearth validate` and `hearth publish`."""
    night = tonight.latest(community, run)["night"]
    with steps.at_work(night["community"]):
        told = steps.rebuild(night, from_landing=from_landing)
    for source, messages in sorted(told.items()):
        out.print(f"{source}: {messages:,} messages")


@app.command()
def lineage(
    column: Annotated[str, typer.Argument(help="Such as marts.threads.first_response_at.")],
) -> None:
    """Show which columns a column is computed from, down to the records."""
    from pipeline.lineage import lineage as trace

    for step in trace(column):
        out.print(Text.assemble("  " * step.depth, step.column, (f"  {step.file or ''}", "dim")))


@app.command()
def export(
    folder: Annotated[Path, typer.Argument(help="A folder that does not exist yet.")],
    community: Community = None,
    form: Annotated[
        Literal["parquet", "csv"], typer.Option(help="Format of the files.")
    ] = "parquet",
    restricted: Restricted = False,
) -> None:
    """Write the current night's tables as files, with their row counts and checksums."""
    from pipeline import nights

    home = settings.load(secrets=False).community(community)
    with reading(home):
        written = nights.export(home, folder, form, restricted=restricted)
    out.print(f"{folder}: {len(written)} files, {sum(written.values()):,} rows; see manifest.json")


@app.command()
def report(
    period: Annotated[
        Literal["week", "month"], typer.Option(help="Length of the period.")
    ] = "week",
    ending: Annotated[
        datetime | None,
        typer.Option(
            formats=["%Y-%m-%d"], help="A day in the period. Default: the newest that is over."
        ),
    ] = None,
    language: Annotated[
        settings.Language | None, typer.Option(help="Default: those of the settings.")
    ] = None,
    pdf: Annotated[
        bool | None, typer.Option(help="Also as PDF. Default: if Chromium is installed.")
    ] = None,
    community: Community = None,
) -> None:
    """Write the report of a week or a month, as one page, from the published night."""
    from pipeline.report import Period, write
    from pipeline.report.render import browser
    from pipeline.report.select import as_of_day

    home = settings.load(secrets=False).community(community)
    languages = (language,) if language else home.report.languages
    print_it = bool(browser()) if pdf is None else pdf
    with reading(home):
        today = as_of_day(home)
        wanted = Period.around(period, ending.date()) if ending else Period.ended(period, today)
        if wanted.first > today:
            raise FixSettings(f"{wanted.name} has not begun: the published night is of {today}")
        for file in write(home, wanted, languages, pdf=print_it):
            out.print(str(file))


@app.command()
def diff(
    earlier: Annotated[str | None, typer.Argument(help="A run. Default: the last but one.")] = None,
    later: Annotated[str | None, typer.Argument(help="A run. Default: the newest.")] = None,
    community: Community = None,
) -> None:
    """Show what changed between two published nights, and why."""
    from pipeline import nights

    home = settings.load(secrets=False).community(community)
    known = nights.nights(home)
    if len(known) < 2:
        raise FixSettings(f"{home.name}: two published nights are needed, there are {len(known)}")
    first, second = earlier or known[-2], later or known[-1]
    with reading(home):
        if nights.definitions_changed(home, first, second):
            out.print("The definitions (SQL or contracts) changed between the two nights.")
        found = list(nights.differences(home, first, second))
    rows = [
        (
            each.table,
            *(f"{n:,}" for n in (each.added, each.removed, each.changed)),
            ", ".join(f"{n:,} {what.replace('_', ' ')}" for what, n in each.why.items()),
        )
        for each in found
    ]
    out.print(f"{first} -> {second}")
    out.print(table(("table", "added", "removed", "changed", "why"), rows, box=None))


@app.command()
def rollback(
    run: Annotated[
        str | None, typer.Argument(help="A published night. Default: the one before.")
    ] = None,
    community: Community = None,
) -> None:
    """Let readers see an earlier night again, until the next one is published."""
    from pipeline import nights

    home = settings.load(secrets=False).community(community)
    out.print(f"Readers now see night {nights.go_back(home, run)}.")


@app.command()
def dictionary(
    check: Annotated[bool, typer.Option("--check", help="Only check that it is current.")] = False,
) -> None:
    """Write the data dictionary, expectations/README.md, from the contracts."""
    from pipeline.contracts import FOLDER, contracts
    from pipeline.contracts import dictionary as written

    file, text = FOLDER / "README.md", written(contracts())
    if not check:
        file.write_text(text, encoding="utf-8")
    elif file.read_text(encoding="utf-8") != text:
        raise FixSettings(f"{file} is not what the contracts say; run `make dictionary`")


def _show(db: Any, sql: str, output: Output) -> None:
    import duckdb

    try:
        statements = db.extract_statements(sql)
        if len(statements) != 1:
            none = "there is no statement to answer"
            raise FixSettings(
                f"{len(statements)} statements: ask one at a time" if statements else none
            )
        found = db.execute(statements[0])
        columns = [name for name, *_ in found.description]
        rows = found.fetchall()
    except duckdb.Error as error:
        raise FixSettings(f"the statement failed: {error}") from None
    if output == "json":
        sys.stdout.writelines(
            json.dumps(dict(zip(columns, row, strict=True)), default=str) + "\n" for row in rows
        )
    elif output == "csv":
        writer = csv.writer(sys.stdout)
        writer.writerow(columns)
        writer.writerows(map(spreadsheet_safe, row) for row in rows)
    else:
        out.print(table(columns, rows, caption=f"{len(rows):,} rows"))
