"""Let a community's moderators teach its models."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import UTC, datetime
from pathlib import Path

from pipeline import settings
from pipeline.errors import FixSettings


def learn(community: str, sets: Path, languages: Collection[str] | None = None) -> Iterator[str]:
    """Train a model for each language the community writes (or those of them in `languages`) from
    labelled sets and what its moderators said; a better one goes into the shadow. Yields a sentence
    a language: what was done and why, or what is missing. Raises FixSettings, naming what each
    lacks, where no model could be trained."""
    from pipeline import warehouse
    from pipeline.classify.community import learn as learned
    from pipeline.classify.train import AIMS, read

    home = settings.load(secrets=False).community(community)
    asked = [each for each in languages or AIMS if each in home.languages and each in AIMS]
    if not asked:
        raise FixSettings(
            f"{home.name}: models are made of {', '.join(AIMS)}; its `languages` are "
            f"{', '.join(home.languages)}"
        )
    lacking: list[str] = []
    for language in asked:
        try:
            rows = read(sets, language)
            with warehouse.read_only(home) as db:
                step = learned(db, home.home, language, rows, AIMS[language], now=datetime.now(UTC))
        except FixSettings as error:
            lacking.append(str(error))
            continue
        yield f"{step.language} {step.version}: {step.action}; {step.why}"
    if lacking and len(lacking) == len(asked):
        raise FixSettings("; ".join(dict.fromkeys(lacking)))
    yield from lacking
