"""hearth: the verbs of a night, and what an operator needs around them."""

from __future__ import annotations

import getpass
import logging
import os
import secrets
import shutil
import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipeline import __version__, redact, settings, steps, tonight
from pipeline.cli import data, judgement, operator
from pipeline.cli.console import Community, Run, out, plain
from pipeline.errors import FixSettings, HearthError

app = typer.Typer(
    help="Nightly community analytics over Discourse and Rocket.Chat.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    epilog="Exit codes: 0 done; 65 a contract is broken; 69 published but something is stale; "
    "75 try again later; 76 a source answered nonsense; "
    "77 access is missing; 78 settings must be changed.",
)
app.add_typer(operator.app)
app.add_typer(data.app)
app.add_typer(judgement.app)

AsOf = Annotated[
    str | None,
    typer.Option(help="The moment the metrics speak of, such as 2026-03-02T02:00:00+00:00; now."),
]
Output = Literal["table", "csv", "json"]


def main() -> None:
    """Run the command line. Errors of ours become one line and an exit code."""
    redact.install()
    try:
        app()
    except HearthError as error:
        Console(stderr=True, highlight=False, soft_wrap=True).print(
            plain(redact.clean(f"hearth: {error}")), style="red"
        )
        sys.exit(error.exit_code)


def _version(wanted: bool) -> None:
    if wanted:
        out.print(__version__)
        raise typer.Exit


@app.callback()
def _start(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print it and end.")
    ] = False,
    settings_file: Annotated[
        Path | None, typer.Option("--settings", help="Another file than ./hearth.toml.")
    ] = None,
) -> None:
    if settings_file:
        os.environ["HEARTH_SETTINGS"] = str(settings_file)
    live = sys.stderr.isatty()
    line = f"{_CLEAR if live else ''}%(asctime)s %(message)s"
    logging.basicConfig(level=logging.WARNING, format=line, datefmt="%H:%M:%S")
    logging.getLogger("hearth").setLevel(logging.INFO)
    progress = logging.getLogger("hearth.progress")
    progress.propagate = False
    progress.addHandler(_LiveLine() if live else logging.NullHandler())


_CLEAR = "\r\x1b[2K"


class _LiveLine(logging.Handler):
    """Progress on the terminal's last line, each over the one before."""

    def emit(self, record: logging.LogRecord) -> None:
        width = shutil.get_terminal_size().columns - 1
        sys.stderr.write(f"{_CLEAR}{record.getMessage()[:width]}")
        sys.stderr.flush()


@app.command()
def init(
    community: Annotated[str, typer.Option(prompt="Short name of the community (a-z)")],
    discourse: Annotated[str, typer.Option(prompt="Address of the Discourse forum, or empty")] = "",
    rocketchat: Annotated[
        str, typer.Option(prompt="Address of the Rocket.Chat workspace, or empty")
    ] = "",
    time_zone: Annotated[str, typer.Option(prompt="Its time zone")] = "UTC",
) -> None:
    """Write a commented hearth.toml and say which secrets it needs."""
    file = Path(os.environ.get("HEARTH_SETTINGS") or settings.DEFAULT_FILE)
    if file.exists():
        raise FixSettings(f"{file} exists already; edit it, or move it away first")
    text = settings.template(community, discourse, rocketchat, time_zone)
    variables = settings.variables(text)
    settings.parse(text, dict.fromkeys(variables, "x"), file)
    file.write_text(text, encoding="utf-8")
    out.print(f"Wrote {file}. Set these variables, then run `hearth doctor`:\n")
    for variable in variables:
        value = secrets.token_hex(32) if variable.endswith("PSEUDONYM_KEY") else "..."
        out.print(f"  export {variable}={value}")
    out.print("\nKeep the pseudonym key: with another one nobody has the same pseudonym again.")


@app.command()
def doctor(community: Community = None) -> None:
    """Check settings, folders, reachability, keys and plugins; say what is missing and the fix."""
    from pipeline.sources import open_source

    home = settings.load().community(community)
    worst = 0
    for name in home.sources:
        out.print(f"{name} ({home.sources[name].platform}, {home.sources[name].url})")
        for finding in open_source(home, name).probe():
            sign, style = {"ok": ("ok  ", "green"), "warn": ("warn", "yellow")}.get(
                finding.level, ("FAIL", "red")
            )
            out.print(Text(f"  {sign} ", style).append(plain(finding.text)))
            if finding.fix:
                out.print(plain(f"       {finding.fix}"))
            worst = max(worst, 77 if finding.level == "fail" else 0)
    raise typer.Exit(worst)


@app.command()
def estimate(community: Community = None) -> None:
    """What the next read of each source would cost, and what it cannot see, before it starts."""
    for told in steps.estimate(community):
        out.print(
            f"{told['source']}: {told['requests']:,} requests, about {_spell(told['seconds'])} "
            "at the share of the server's limit that the settings allow"
        )
        for stream, requests in told["by_stream"].items():
            out.print(f"  {stream:34} {requests:>8,}")
        for stream, reason in told["unavailable"].items():
            out.print(plain(f"  {stream:34}   not available: {reason}"))
        for blind in told["blind_spots"]:
            out.print(plain(f"  cannot see: {blind}"))


@app.command()
def nightly(community: Community = None, as_of: AsOf = None) -> None:
    """A whole night in this process: the same verbs as the Airflow DAG, for cron or by hand."""
    night = steps.run_night(community, as_of)
    out.print(f"Night {night['run']} is done.")


@app.command()
def plan(community: Community = None, as_of: AsOf = None) -> None:
    """Ask the sources what they can give and write the bookmarks; the first verb of a night."""
    planned = steps.plan(community, as_of)
    out.print(f"Run {planned['night']['run']}: {len(planned['units'])} streams to read.")


@app.command()
def extract(
    community: Community = None,
    run: Run = None,
    source: Annotated[str | None, typer.Option(help="Only this source.")] = None,
    stream: Annotated[str | None, typer.Option(help="Only this stream.")] = None,
) -> None:
    """Land what is new, changed or gone."""
    planned = tonight.latest(community, run)
    units = [
        unit
        for unit in planned["units"]
        if source in (None, unit["source"]) and stream in (None, unit["stream"])
    ]
    if not units:
        raise FixSettings("no stream of the planned night matches; `hearth plan` lists them anew")
    for unit in units:
        steps.extract(planned["night"], unit)


@app.command()
def load(community: Community = None, run: Run = None) -> None:
    """Bring what was landed into the work file."""
    steps.load(tonight.latest(community, run)["night"])


@app.command()
def build(community: Community = None, run: Run = None, as_of: AsOf = None) -> None:
    """Type what changed and build the marts."""
    night = tonight.latest(community, run)["night"]
    steps.build({**night, "as_of": as_of or night["as_of"]})


@app.command()
def score(community: Community = None, run: Run = None) -> None:
    """Judge messages whose text or whose judge changed."""
    steps.score(tonight.latest(community, run)["night"])


@app.command()
def validate(community: Community = None, run: Run = None) -> None:
    """Hold the work file against its contracts."""
    steps.validate(tonight.latest(community, run)["night"])


@app.command()
def publish(community: Community = None, run: Run = None) -> None:
    """Write tonight's files and flip the links."""
    steps.publish(tonight.latest(community, run)["night"])


@app.command()
def digest(community: Community = None, run: Run = None) -> None:
    """Write and send the moderators' digest; what was sent once is not sent again."""
    steps.digest(tonight.latest(community, run)["night"])


@app.command()
def verdict(
    ref: Annotated[str, typer.Argument(help="The reference beside an item of a digest.")],
    choice: Annotated[
        str, typer.Argument(help="agree, disagree, unsure, handled, snooze or claim.")
    ],
    who: Annotated[str, typer.Option(help="Who says so.")] = getpass.getuser(),
    days: Annotated[int | None, typer.Option(help="How long to snooze.")] = None,
    community: Community = None,
) -> None:
    """Say what you think of an item: it does not come back unless something new is found."""
    steps.give_verdict(ref, choice, who, community, days)
    out.print(f"Noted: {choice} for {ref}.")


@app.command()
def query(
    sql: Annotated[str | None, typer.Argument(help="One statement; without it, a prompt.")] = None,
    community: Community = None,
    restricted: Annotated[bool, typer.Option(help="Ask the file with names and texts.")] = False,
    output: Annotated[Output, typer.Option(help="How rows are printed.")] = "table",
) -> None:
    """Ask the published file (read-only). No night is ever in the way of it."""
    import duckdb

    home = settings.load(secrets=False).community(community)
    file = home.home / "published" / ("restricted.duckdb" if restricted else "current.duckdb")
    if not file.exists():
        raise FixSettings(f"{file} does not exist yet; `hearth nightly` publishes it")
    with duckdb.connect(file.resolve(), read_only=True) as db:
        if sql is not None:
            try:
                _show(db, sql, output)
            except duckdb.Error as error:
                raise FixSettings(f"the statement failed: {error}") from None
            return
        out.print(f"{file.resolve().name}, read-only. An empty line ends. Try: SHOW ALL TABLES")
        while statement := out.input("hearth> ").strip():
            try:
                _show(db, statement, output)
            except duckdb.Error as error:
                out.print(plain(str(error)), style="red")


@app.command()
def sandbox(
    forum_port: Annotated[int, typer.Option(help="Port of the Discourse sandbox.")] = 8765,
    chat_port: Annotated[int, typer.Option(help="Port of the Rocket.Chat sandbox.")] = 8766,
    night: Annotated[int, typer.Option(help="How many nights the made-up community has had.")] = 1,
    topics: Annotated[
        Path | None, typer.Option(help="Recorded topics (JSON lines) instead of made-up ones.")
    ] = None,
    chat: Annotated[
        Path | None, typer.Option(help="Recorded chat messages (Parquet) instead of made-up ones.")
    ] = None,
) -> None:
    """A community in a box: both servers' APIs on loopback, until interrupted."""
    from pipeline.sandbox import demo

    demo.serve(out, (forum_port, chat_port), night, topics, chat)


@app.command()
def demo() -> None:
    """One night of the sandbox community through the Airflow DAG; each call is the next night."""
    from pipeline.sandbox import demo as showing

    raise typer.Exit(showing.run(out))


@app.command()
def dictionary(
    check: Annotated[bool, typer.Option(help="Only say whether it is current.")] = False,
) -> None:
    """Write the data dictionary, expectations/README.md, from the contracts."""
    from pipeline.contracts import FOLDER, contracts
    from pipeline.contracts import dictionary as written

    file, text = FOLDER / "README.md", written(contracts())
    if check and file.read_text(encoding="utf-8") != text:
        raise FixSettings(f"{file} is not what the contracts say; run `make dictionary`")
    file.write_text(text, encoding="utf-8")


def _show(db: Any, sql: str, output: Output) -> None:
    found = db.execute(sql)
    columns = [name for name, *_ in found.description]
    rows = found.fetchall()
    if output == "json":
        import json

        sys.stdout.writelines(
            json.dumps(dict(zip(columns, row, strict=True)), default=str) + "\n" for row in rows
        )
    elif output == "csv":
        import csv

        writer = csv.writer(sys.stdout)
        writer.writerow(columns)
        writer.writerows([_guarded(cell) for cell in row] for row in rows)
    else:
        table = Table(*columns, caption=f"{len(rows):,} rows")
        for row in rows:
            table.add_row(*(plain("" if cell is None else str(cell)) for cell in row))
        out.print(table)


def _guarded(cell: object) -> object:
    """A CSV cell that no spreadsheet takes for a formula."""
    if isinstance(cell, str) and cell.startswith(("=", "+", "-", "@", "\t", "\r")):
        return "'" + cell
    return cell


def _spell(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
