"""The steps of a night, one by one or all at once, and what follows its digest."""

from __future__ import annotations

import getpass
from collections.abc import Callable
from functools import partial
from typing import Annotated

import typer

from pipeline import settings, steps, tonight
from pipeline.cli.console import Community, Run, out, plain
from pipeline.errors import FixSettings
from pipeline.tonight import Night

app = typer.Typer()
AsOf = Annotated[
    str | None,
    typer.Option(
        help="The moment the metrics take for now, such as 2026-03-02 (midnight UTC) or "
        "2026-03-02T02:00:00+00:00. Default: now; for a planned night, when it was planned."
    ),
]


@app.command()
def estimate(community: Community = None) -> None:
    """Estimate what the next read of each source will cost, and list what it cannot see."""
    from pipeline.status import span

    for told in steps.estimate(community):
        out.print(
            f"{told['source']}: {told['requests']:,} requests, about {span(told['seconds'])} "
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
    """Run a whole night in this process, with the same steps as the Airflow DAG."""
    night = steps.run_night(community, as_of)
    out.print(f"Night {night['run']} is done.")


@app.command()
def plan(community: Community = None, as_of: AsOf = None) -> None:
    """Ask the sources what they can give, and note where to go on: a night begins with it."""
    with steps.at_work(settings.load().community(community).name):
        planned = steps.plan(community, as_of)
    out.print(f"Run {planned['night']['run']}: {len(planned['units'])} streams to read.")


@app.command()
def extract(
    community: Community = None,
    run: Run = None,
    source: Annotated[str | None, typer.Option(help="Only this source.")] = None,
    stream: Annotated[str | None, typer.Option(help="Only this stream.")] = None,
) -> None:
    """Fetch what is new, changed or gone, and land it as files."""
    planned = tonight.latest(community, run)
    units = [
        unit
        for unit in planned["units"]
        if source in (None, unit["source"]) and stream in (None, unit["stream"])
    ]
    if not units:
        raise FixSettings("no stream of the planned night matches; `hearth plan` lists them anew")
    with steps.at_work(planned["night"]["community"], shared=True):
        for unit in units:
            steps.extract(planned["night"], unit)


@app.command()
def load(community: Community = None, run: Run = None) -> None:
    """Load what was landed into the work file."""
    _by_hand(steps.load, community, run)


@app.command()
def build(community: Community = None, run: Run = None, as_of: AsOf = None) -> None:
    """Type what changed and build the marts."""
    _by_hand(partial(steps.build, judged=True), community, run, as_of)


@app.command()
def score(community: Community = None, run: Run = None) -> None:
    """Judge what is new or changed, and what an older version of the judges had judged."""
    _by_hand(steps.score, community, run)


@app.command()
def validate(community: Community = None, run: Run = None) -> None:
    """Check the work file against its contracts."""
    _by_hand(steps.validate, community, run)


@app.command()
def publish(community: Community = None, run: Run = None) -> None:
    """Write tonight's files and point readers at them."""
    _by_hand(steps.publish, community, run)


@app.command()
def digest(
    community: Community = None,
    run: Run = None,
    due: Annotated[
        bool, typer.Option("--due", help="Send only what is due at its readers' hour; for cron.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only write to files what would be sent.")
    ] = False,
    show: Annotated[bool, typer.Option("--show", help="Open what --dry-run wrote.")] = False,
) -> None:
    """Write and send the moderators' digest; nothing is sent twice."""
    if dry_run:
        for file in steps.preview(community):
            out.print(str(file))
            if show and file.suffix == ".html":
                typer.launch(str(file))
    elif due:
        for said in steps.send_due(community):
            out.print(plain(said))
    else:
        _by_hand(steps.digest, community, run)


@app.command()
def verdict(
    ref: Annotated[str, typer.Argument(help="The reference beside an item of a digest.")],
    choice: Annotated[
        str, typer.Argument(help="agree, disagree, unsure, handled, snooze or claim.")
    ],
    who: Annotated[
        str | None, typer.Option(help="Who says so. Default: your user name here.")
    ] = None,
    days: Annotated[int | None, typer.Option(min=1, help="How many days to snooze.")] = None,
    community: Community = None,
) -> None:
    """Say what you think of an item; it then comes back only if something new is found."""
    steps.give_verdict(ref, choice, who or _user(), community, days)
    out.print(f"Noted: {choice} for {ref}.")


@app.command()
def case(
    about: Annotated[
        str, typer.Argument(help="The reference of an item, or a thread as source/id.")
    ],
    community: Community = None,
) -> None:
    """Write the case file of a dispute: a neutral timeline of its thread.

    It leaves room for what was decided and what was learned."""
    for file in steps.case_file(about, community):
        out.print(str(file))


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container that runs as a number
        raise FixSettings("this machine has no name for you: say --who NAME") from None


def _by_hand(
    step: Callable[[Night], object],
    community: str | None,
    run: str | None,
    as_of: str | None = None,
) -> None:
    """Run one step of a planned night while nobody else works on the community."""
    night = tonight.latest(community, run)["night"]
    with steps.at_work(night["community"]):
        step({**night, "as_of": as_of or night["as_of"]})
