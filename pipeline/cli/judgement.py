"""What one may ask of the judges: to be made anew, and to be measured; part of `hearth`."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from pipeline import settings, steps
from pipeline.cli.console import Community, out, plain
from pipeline.errors import FixSettings

app = typer.Typer()
Sets = Annotated[Path, typer.Argument(help="Folder of labelled sets, named as in the manifest.")]


@app.command()
def train(
    sets: Sets,
    into: Annotated[
        Path | None, typer.Argument(help="Folder for the models and their cards.")
    ] = None,
    *,
    community: Annotated[
        str | None,
        typer.Option(help="Learn also from what this community's moderators said, for it alone."),
    ] = None,
    language: Annotated[
        list[str], typer.Option(help="Language of a model, or chat; may be given several times.")
    ] = ["en", "zh", "de", "chat"],  # noqa: B006 - Typer's way to say a default list
) -> None:
    """Make models and their cards anew from labelled sets; the seed is fixed.

    The models in use lie in pipeline/classify/models: put others there only if their cards say
    that they are better. `hearth evaluate` measures those in use. With --community a model is kept
    with the community; if it is better it waits in the shadow for `hearth models --switch-on`."""
    from pipeline.classify.card import write_models

    if community:
        for told in steps.learn(community, sets, language):
            out.print(told)
        return
    if into is None:
        raise FixSettings("hearth train: name a folder for the models, or a --community")
    for file in write_models(sets, into, language):
        out.print(str(file))


@app.command()
def models(
    community: Community = None,
    switch_on: Annotated[
        str | None, typer.Option(help="Language whose model in the shadow is used from now on.")
    ] = None,
    rollback: Annotated[
        str | None, typer.Option(help="Language whose model before this one is used again.")
    ] = None,
) -> None:
    """Which models learned from this community's moderators, which are used, and why. A new one
    tells nobody until it is switched on; `hearth lab --learned` tries it before."""
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
        Path | None, typer.Option(help="Recorded topics, one a line; .zst and .gz are read too.")
    ] = None,
    asking: Annotated[int | None, typer.Option(help="Its category in which people ask.")] = None,
    showing: Annotated[
        list[int] | None, typer.Option(help="Its categories in which people show what they made.")
    ] = None,
) -> None:
    """Measure the judges on labelled sets, each beside a plain baseline in the same run."""
    from pipeline.classify.evaluate import HEADING
    from pipeline.classify.evaluate import evaluate as measure

    out.print(HEADING, markup=False)
    for line in measure(sets, forum, asking, tuple(showing or ())):
        out.print(str(line), markup=False)
