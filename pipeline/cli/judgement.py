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
    with the community, and used from the next night on if it is better; see `hearth models`."""
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
    rollback: Annotated[
        str | None, typer.Option(help="Language whose model before this one is used again.")
    ] = None,
) -> None:
    """Which models learned from this community's moderators, which are used, and why."""
    from pipeline.classify.community import history, in_use, roll_back

    home = settings.load(secrets=False).community(community)
    if rollback:
        roll_back(home.home, rollback, datetime.now(UTC))
    for step in history(home.home):
        version = step.version or "shipped"
        out.print(plain(f"{step.at} {step.language} {version}: {step.action}; {step.why}"))
    used = in_use(home.home)
    for language in home.languages:
        out.print(
            f"in use for {language}: {used[language].name if language in used else 'shipped'}"
        )


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
