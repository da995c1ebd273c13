"""`hearth lab`: what would have been flagged."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline import settings
from pipeline.cli.console import Community, out, plain, table
from pipeline.errors import FixSettings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.classify.judge import Judge
    from pipeline.classify.lab import Flag, Outcome, Setup

app = typer.Typer()
_MOST_SHOWN = 20


@app.command()
def lab(
    community: Community = None,
    *,
    threshold: Annotated[
        list[str],
        typer.Option(help="Try a threshold, such as strict=0.7 (or uncivil, question)."),
    ] = [],  # noqa: B006 - Typer's way to say a default list
    models: Annotated[
        Path | None,
        typer.Option(exists=True, file_okay=False, help="Try the models of a folder."),
    ] = None,
    learned: Annotated[
        bool, typer.Option("--learned", help="Try this community's own models in the shadow.")
    ] = False,
    rule: Annotated[
        list[str], typer.Option(help="Put a rule or model into the shadow, or take it out.")
    ] = [],  # noqa: B006
    nights: Annotated[int, typer.Option(min=1, help="How many past nights to look at.")] = 180,
    as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
) -> None:
    """Try a threshold, model or rule on past nights, beside what is in use.

    Prints flags a night, what was open before the first, how often moderators agreed, what would be
    added and what lost. Nothing is changed or sent. Where nothing is tried, it shows what is in use
    alone."""
    from pipeline import warehouse
    from pipeline.classify.lab import compare

    home = settings.load(secrets=False).community(community)
    current = _current(home)
    tried = _tried(current, _judge(home, current, models, learned), threshold, rule)
    with warehouse.read_only(home) as db:
        outcome = compare(db, home, current, tried, nights)
        addresses = _addresses(db, [*outcome.adds, *outcome.loses])
    if as_json:
        sys.stdout.write(json.dumps(_as_data(outcome, addresses), default=str) + "\n")
        return
    if not (threshold or models or learned or rule):
        _show_tallies(outcome, {"now": outcome.current})
        out.print("Nothing was tried: name it with --threshold, --rule, --models or --learned.")
        return
    changed = {"adds": outcome.adds, "loses": outcome.loses}
    _show_tallies(outcome, {"now": outcome.current, "tried": outcome.tried, **changed})
    for what, flags in changed.items():
        _show_flags(what, flags, outcome, addresses)


def _current(home: settings.Community) -> Setup:
    from pipeline.classify.community import in_use
    from pipeline.classify.judge import Judge
    from pipeline.classify.lab import Setup
    from pipeline.digest.heard import rules

    demoted = (r.rule for r in rules(home, datetime.now(UTC)) if r.is_shadow)
    judge = Judge(home.languages, own=in_use(home.home))
    return Setup(judge, shadow=home.judgement.in_shadow.union(demoted))


def _judge(home: settings.Community, current: Setup, models: Path | None, learned: bool) -> Judge:
    from pipeline.classify.community import in_shadow, in_use
    from pipeline.classify.judge import Judge

    if models:
        return Judge(home.languages, models)
    if learned:
        waiting = in_shadow(home.home)
        if not waiting:
            raise FixSettings(
                f"{home.name}: no model is in the shadow; `hearth models` says which are in use "
                "and why, `hearth train` makes one"
            )
        return Judge(home.languages, own=in_use(home.home) | waiting)
    return current.judge


def _tried(current: Setup, judge: Judge, threshold: list[str], rule: list[str]) -> Setup:
    from typing import get_args

    from pipeline.classify.lab import Setup
    from pipeline.classify.message import Label

    moved: dict[Any, float] = {}
    for said in threshold:
        label, _, value = said.partition("=")
        try:
            moved[label] = float(value)
        except ValueError:
            raise FixSettings(f"--threshold {said}: say it as strict=0.7") from None
        if label not in get_args(Label) or not 0 <= moved[label] <= 1:
            raise FixSettings(
                f"--threshold {said}: a number from 0 to 1 for one of {', '.join(get_args(Label))}"
            )
    try:
        named = frozenset(map(settings.judge_name, rule))
    except ValueError as error:
        raise FixSettings(f"--rule: {error}") from None
    return Setup(judge, moved, current.shadow ^ named)


def _addresses(db: Any, flags: Sequence[Flag]) -> dict[tuple[str, str], str | None]:
    """(source, message) -> where to read it; null where it has no address."""
    found = db.execute(
        "SELECT m.source, m.message_id, coalesce(m.url, t.url, c.message_url || m.message_id)"
        " FROM staging.messages AS m"
        " LEFT JOIN staging.threads AS t ON m.source = t.source AND m.thread_id = t.thread_id"
        " LEFT JOIN staging.channels AS c ON m.source = c.source AND m.channel_id = c.channel_id"
        " WHERE list_contains(?, m.source || '/' || m.message_id)",
        [[f"{flag.source}/{flag.message_id}" for flag in flags]],
    ).fetchall()
    return {(source, message_id): url for source, message_id, url in found}


def _as_data(outcome: Outcome, addresses: dict[tuple[str, str], str | None]) -> dict[str, Any]:
    def listed(flags: Sequence[Flag]) -> list[dict[str, Any]]:
        return [
            {
                **asdict(flag),
                "url": addresses.get((flag.source, flag.message_id)),
                "agreed": outcome.verdicts.get(flag.item),
            }
            for flag in flags
        ]

    return {
        "nights": outcome.nights,
        "now": asdict(outcome.tally(outcome.current)),
        "tried": asdict(outcome.tally(outcome.tried)),
        "adds": listed(outcome.adds),
        "loses": listed(outcome.loses),
    }


def _show_tallies(outcome: Outcome, shown: dict[str, Sequence[Flag]]) -> None:
    rows = []
    for name, flags in shown.items():
        tally = outcome.tally(flags)
        a_night = f"{tally.flags / max(1, outcome.nights):.2f}"
        counts = (f"{tally.flags:,}", a_night, outcome.most_a_night(flags))
        said = (tally.judged, tally.agreed, tally.precision)
        rows.append((name, *counts, f"{tally.open_before:,}", *said))
    counted = ("", "flags", "a night", "most a night", "open before")
    columns = (*counted, "judged", "agreed", "precision (95 %)")
    out.print(f"{outcome.nights} nights")
    out.print(table(columns, rows, box=None))


def _show_flags(
    what: str,
    flags: Sequence[Flag],
    outcome: Outcome,
    addresses: dict[tuple[str, str], str | None],
) -> None:
    from pipeline.digest import safe

    said = {True: "agreed", False: "disagreed", None: "no verdict"}
    for flag in flags[-_MOST_SHOWN:]:
        where = addresses.get((flag.source, flag.message_id)) or f"{flag.source}/{flag.message_id}"
        sentence = flag.sentence and safe.masked(safe.plain(flag.sentence, 100))
        verdict = said[outcome.verdicts.get(flag.item)]
        rules = ", ".join(f"{flag.kind}/{kind}" for kind in flag.evidence)
        out.print(plain(f"{what} {flag.night} {rules} ({verdict}) {where}  {sentence or ''}"))
    if len(flags) > _MOST_SHOWN:
        out.print(f"{what}: {len(flags) - _MOST_SHOWN} earlier ones not shown; --json has them all")
