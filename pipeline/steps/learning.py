"""Let a community's moderators teach its models."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from pipeline import settings


def learn(community: str, sets: Path, languages: Sequence[str] = ("en", "zh")) -> Iterator[str]:
    """Make a model of each language the community writes, from labelled sets and what its
    moderators said, and use it from the next night on where it is better. Yields a sentence a
    language: what was done and why."""
    from pipeline import warehouse
    from pipeline.classify.community import learn as learned
    from pipeline.classify.train import AIMS, read

    home = settings.load(secrets=False).community(community)
    for language in (each for each in languages if each in home.languages and each in AIMS):
        rows = read(sets, language)
        with warehouse.read_only(home) as db:
            step = learned(db, home.home, language, rows, AIMS[language], now=datetime.now(UTC))
        yield f"{step.language} {step.version}: {step.action}; {step.why}"
