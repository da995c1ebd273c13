"""Commands about the judges: what they say of a text, how they are trained and measured."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline import settings, steps
from pipeline.cli.console import Community, out, plain
from pipeline.errors import FixSettings

if TYPE_CHECKING:
    from pipeline.classify.judge import Judge
    from pipeline.classify.message import Message, Score
    from pipeline.digest.words import Words
    from pipeline.text import Form

app = typer.Typer()
Sets = Annotated[
    Path,
    typer.Argument(
        exists=True, file_okay=False, help="Folder of labelled sets, named as in the manifest."
    ),
]


@app.command()
def judge(
    text: Annotated[
        str | None, typer.Argument(help="What somebody wrote. Default: standard input.")
    ] = None,
    *,
    title: Annotated[str | None, typer.Option(help="The title of the thread it opens.")] = None,
    as_json: Annotated[
        bool,
        typer.Option(
            "--json",
            help="Read one object a line: text and, if you like, id, title and form (markdown or"
            " html). Print one object for each text and label.",
        ),
    ] = False,
    community: Annotated[
        str | None, typer.Option(help="Use this community's languages and own models.")
    ] = None,
) -> None:
    """Show what the judges say of a text, and why; nothing is stored or sent.

    A text is flagged where its score reaches the threshold. Whether a question was answered, or a
    thread turns sour, can only be said of whole threads: see `hearth lab`."""
    judging = _judging(community)
    if as_json:
        for score in judging.score(_messages(sys.stdin)):
            sys.stdout.write(json.dumps(_score_data(score)) + "\n")
        return
    said = sys.stdin.read() if text is None else text
    for score in judging.score([_message({"text": said, "title": title}, "")]):
        for line in _score_lines(score):
            out.print(plain(line))


def _judging(community: str | None) -> Judge:
    from pipeline.classify.community import in_use
    from pipeline.classify.judge import Judge, tone_models

    if community is None:
        return Judge(tuple(tone_models()))
    home = settings.load(secrets=False).community(community)
    return Judge(home.languages, own=in_use(home.home))


def _messages(lines: Iterable[str]) -> Iterator[Message]:
    """Each line as an opening message. Raises FixSettings at the first without a text."""
    for number, line in enumerate(lines, 1):
        try:
            yield _message(json.loads(line), str(number))
        except (ValueError, KeyError, TypeError, AttributeError):
            raise FixSettings(
                f'line {number} is not like {{"text": "...", "id": "...", "title": "...",'
                ' "form": "markdown"}; only the text is needed'
            ) from None


def _message(told: Mapping[str, Any], number: str) -> Message:
    from pipeline.classify.message import Message

    form: Form = "html" if told.get("form") == "html" else "markdown"
    if told.get("form", form) != form or not isinstance(told["text"], str):
        raise ValueError
    known = str(told.get("id", number))
    title = told.get("title")
    return Message(
        source="",
        thread_id=known,
        message_id=known,
        account_id=None,
        created_at=datetime.fromtimestamp(0, UTC),
        body=told["text"],
        form=form,
        is_first=True,
        title=None if title is None else str(title),
    )


def _reasons(score: Score) -> list[str]:
    from pipeline.digest.page import reason_of

    return [reason_of(reason.code, reason.values, _english()) for reason in score.reasons]


@cache
def _english() -> Words:
    from pipeline.digest.words import Words

    return Words("en", str)


def _score_data(score: Score) -> dict[str, Any]:
    told = {name: value for name, value in asdict(score).items() if name != "source"}
    told["id"] = told.pop("message_id")
    return told | {"is_flagged": score.is_flagged, "reasons": _reasons(score)}


def _score_lines(score: Score) -> Iterator[str]:
    if score.score is None:
        yield f"{score.label:9} unscored: {score.unscored_because} ({score.language or 'unknown'})"
        return
    bar = "never counts" if score.threshold is None else f"counts from {score.threshold:.2f} on"
    flagged = "flagged" if score.is_flagged else "not flagged"
    yield f"{score.label:9} {score.score:.2f}, {flagged} ({bar}; {score.model})"
    if score.sentence:
        yield f"          > {score.sentence}"
    yield from (f"          {reason}" for reason in _reasons(score))


@app.command()
def train(
    sets: Sets,
    into: Annotated[
        Path | None, typer.Argument(help="Folder for the models and their cards.")
    ] = None,
    *,
    community: Annotated[
        str | None,
        typer.Option(help="Also learn from this community's moderators, for it alone."),
    ] = None,
    language: Annotated[
        list[str], typer.Option(help="A model's language, or chat. May be repeated.")
    ] = ["en", "zh", "de", "chat"],  # noqa: B006 - Typer's way to say a default list
) -> None:
    """Train models from labelled sets, and write their cards; the seed is fixed.

    The models in use lie in pipeline/classify/models: replace them only by some whose cards say
    that they are better (`hearth evaluate` measures those in use). With --community the new model
    belongs to that community; if it is better, it waits in the shadow until
    `hearth models --switch-on`."""
    from pipeline.classify.card import write_models

    if community:
        for told in steps.learn(community, sets, language):
            out.print(told)
        return
    if into is None:
        raise FixSettings("name a folder for the models, or a --community")
    for file in write_models(sets, into, language):
        out.print(str(file))


@app.command()
def models(
    community: Community = None,
    switch_on: Annotated[
        str | None, typer.Option(help="A language: use its model in the shadow from now on.")
    ] = None,
    rollback: Annotated[
        str | None, typer.Option(help="A language: go back to its model before this one.")
    ] = None,
) -> None:
    """Show which models learned from this community's moderators, and which are in use.

    A new model tells nobody anything until it is switched on; `hearth lab --learned` tries it on
    the past."""
    from pipeline.classify import community as own

    home = settings.load(secrets=False).community(community)
    if switch_on:
        own.switch_on(home.home, switch_on, datetime.now(UTC))
    if rollback:
        own.roll_back(home.home, rollback, datetime.now(UTC))
    for step in own.history(home.home):
        version = step.version or "shipped"
        out.print(plain(f"{step.at} {step.language} {version}: {step.action}; {step.why}"))
    used, waiting = own.in_use(home.home), own.in_shadow(home.home)
    for language in home.languages:
        file = used.get(language)
        out.print(f"in use for {language}: {file.stem if file else 'shipped'}")
        if language in waiting:
            out.print(f"in the shadow for {language}: {waiting[language].stem}")


@app.command()
def evaluate(
    sets: Sets,
    forum: Annotated[
        Path | None,
        typer.Option(exists=True, help="Recorded topics, one a line; may be .zst or .gz."),
    ] = None,
    asking: Annotated[
        int | None, typer.Option(help="Id of the category in which people ask.")
    ] = None,
    showing: Annotated[
        list[int] | None, typer.Option(help="Ids of those in which people show their work.")
    ] = None,
) -> None:
    """Measure the judges on labelled sets, each beside a plain baseline."""
    from pipeline.classify.evaluate import HEADING
    from pipeline.classify.evaluate import evaluate as measure

    out.print(HEADING)
    is_empty = True
    for line in measure(sets, forum, asking, tuple(showing or ())):
        out.print(str(line))
        is_empty = False
    if is_empty:
        raise FixSettings(f"{sets} holds no labelled set that can be measured; see sets.toml")
