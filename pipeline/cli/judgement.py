"""What one may ask of the judges: to be made anew, and to be measured; part of `hearth`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.console import out

app = typer.Typer()
Sets = Annotated[Path, typer.Argument(help="Folder of labelled sets, named as in the manifest.")]


@app.command()
def train(
    sets: Sets,
    into: Annotated[Path, typer.Argument(help="Folder for the models and their cards.")],
    language: Annotated[
        list[str], typer.Option(help="Language of a model, or chat; may be given several times.")
    ] = ["en", "zh", "de", "chat"],  # noqa: B006 - Typer's way to say a default list
) -> None:
    """Make models and their cards anew from labelled sets; the seed is fixed.

    The models in use lie in pipeline/classify/models: put others there only if their cards say
    that they are better. `hearth evaluate` measures those in use."""
    from pipeline.classify.card import write_models

    for file in write_models(sets, into, language):
        out.print(str(file))


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
