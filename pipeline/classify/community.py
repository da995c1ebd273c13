"""Models that learned from a community's own moderators: made beside the shipped ones, offered only
where they are better, and used from when an operator switches them on.

    home/models/<language>-<version>.skops, .md  each model that was made, with its card
    home/models/history.jsonl                    what was offered, used or taken back, and why
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pipeline.classify import cues
from pipeline.classify.judge import MODELS, RULES
from pipeline.errors import FixSettings
from pipeline.files import make_folder, write_whole
from pipeline.jsonl import JsonLines
from pipeline.statements import value

if TYPE_CHECKING:
    import duckdb

    from pipeline.classify.train import Aim, Rows

SET = "this_community"
LEAST = 20  # messages moderators agreed about, and as many they disagreed about
GAIN = 0.01  # of average precision, by which a model must be better to be offered
_USUAL = 1000  # messages for which the shipped base rate speaks, beside those counted here

# Spam and what is off topic say nothing of tone. A message's votes are added up: its verdicts as an
# attack, and reports with their outcome; a draw says nothing.
_SQL = """
WITH votes AS (
    SELECT source, message_id, if(choice = 'agree', 1, -1) AS vote
    FROM marts.verdicts
    WHERE finding = 'toxic' AND is_last AND choice IN ('agree', 'disagree')
    UNION ALL
    SELECT source, message_id, if(outcome = 'agreed', 1, -1)
    FROM marts.reports
    WHERE about = 'message' AND is_by_human AND NOT is_private
        AND kind IN ('inappropriate', 'free_text') AND outcome IN ('agreed', 'disagreed')
)
SELECT s.source || '/' || s.thread_id, s.body, s.form, sum(v.vote) > 0
FROM votes AS v
JOIN marts.wordings AS s ON v.source = s.source AND v.message_id = s.message_id
JOIN judgement.scores AS j
    ON v.source = j.source AND v.message_id = j.message_id AND j.label = 'strict' AND j.language = ?
GROUP BY s.source, s.message_id, s.thread_id, s.body, s.form
HAVING sum(v.vote) <> 0
ORDER BY s.source, s.message_id
"""

Action = Literal["better", "not better", "switched on", "rolled back"]


@dataclass(frozen=True, slots=True)
class Step:
    """A line of a community's history of models.

    version    of the model the line is about; after "rolled back" the one in use from then on,
               empty for the shipped one
    made_with  the code that made it: a model of other code is not used
    """

    at: str
    language: str
    action: Action
    version: str
    why: str
    made_with: str


def made_with() -> str:
    """What a model's columns depend on besides the model."""
    return f"{RULES} {cues.version()}"


def history(home: Path) -> list[Step]:
    """All steps of a community, oldest first."""
    return [Step(**entry) for entry in _book(home)]


def in_use(home: Path) -> dict[str, Path]:
    """Language -> the community's own model, where one is in use and made with today's code."""
    found: dict[str, Path] = {}
    for step in history(home):
        if step.action in ("switched on", "rolled back"):
            found.pop(step.language, None)
            if step.version and step.made_with == made_with():
                found[step.language] = _file(home, step)
    return found


def in_shadow(home: Path) -> dict[str, Path]:
    """Language -> the newest model that was better than the one in use then, where nobody has
    switched it on and today's code made it."""
    newest = {step.language: step for step in _offered(home)}
    used = in_use(home).values()
    found = {language: _file(home, step) for language, step in newest.items()}
    return {language: file for language, file in found.items() if file not in used}


def switch_on(home: Path, language: str, now: datetime) -> Step:
    """Use the model in the shadow from the next night on.

    Raises FixSettings where there is none."""
    if language not in in_shadow(home):
        raise FixSettings(
            f"{language}: no model is in the shadow; `hearth train --community` makes one"
        )
    step = [each for each in _offered(home) if each.language == language][-1]
    why = f"an operator switched it on; {step.why}"
    return _note(home, replace(step, at=_text(now), action="switched on", why=why))


def _offered(home: Path) -> list[Step]:
    return [
        step for step in history(home) if step.action == "better" and step.made_with == made_with()
    ]


def roll_back(home: Path, language: str, now: datetime) -> Step:
    """Go back to the model that was in use before this one; the shipped one is the first.

    Raises FixSettings where the shipped one is in use."""
    used = [""]
    for step in history(home):
        if step.language == language and step.action == "switched on":
            used.append(step.version)
        elif step.language == language and step.action == "rolled back":
            used.pop()
    if len(used) == 1:
        raise FixSettings(f"{language}: the shipped model is in use already")
    why = f"an operator took back {used[-1]}"
    return _note(home, Step(_text(now), language, "rolled back", used[-2], why, made_with()))


def learn(
    db: duckdb.DuckDBPyConnection,
    home: Path,
    language: str,
    shippable: Rows,
    aims: Sequence[Aim],
    *,
    now: datetime,
) -> Step:
    """Train on labelled sets and this community's messages; a better model goes into the shadow.

    Better: of the community's judged messages, by models that saw none of their thread, it puts
    those moderators agreed about further in front than the model in use does, by GAIN of average
    precision at the community's base rate. Raises FixSettings with fewer than LEAST judged messages
    of either kind.
    """
    from pipeline.classify.card import render
    from pipeline.classify.model import load, save
    from pipeline.classify.train import train

    own = _own_rows(db, language)
    agreed = int(own.labels["strict"].sum())
    if min(agreed, len(own.sets) - agreed) < LEAST:
        raise FixSettings(
            f"{language}: moderators agreed about {agreed} messages and disagreed about "
            f"{len(own.sets) - agreed}; {LEAST} of each are needed to learn from"
        )
    aims = [_at_home(db, aim, language, agreed) for aim in aims]
    trained = train(_beside(shippable, own), language, aims)
    old = load(in_use(home).get(language, MODELS / f"{language}.skops"))
    before = old.probabilities(own.described)["strict"]
    rate = next(aim.base_rate for aim in aims if aim.label == "strict")
    was, became = (
        _average_precision(own, scores, rate)
        for scores in (before, trained.out_of_fold["strict"][-len(own.sets) :])
    )
    why = (
        f"average precision {became:.2f} instead of {was:.2f} over {len(own.sets)} messages "
        f"moderators judged ({agreed} agreed), at {1000 * rate:.1f} in 1,000"
    )
    action: Action = "better" if became >= was + GAIN else "not better"
    step = Step(_text(now), language, action, trained.model.version, why, made_with())
    file = _file(home, step)
    make_folder(file.parent)
    save(trained.model, file)
    card = render(trained.model, trained.shown) + _note_on_card(step)
    write_whole(file.with_suffix(".md"), card.encode())
    return _note(home, step)


def _own_rows(db: duckdb.DuckDBPyConnection, language: str) -> Rows:
    import numpy as np

    from pipeline.classify.features import describe
    from pipeline.classify.train import Rows
    from pipeline.text import authored

    found = db.execute(_SQL, [language]).fetchall()
    texts = [authored(body, form).text for _, body, form, _ in found]
    strict = np.array([float(agreed) for *_, agreed in found])
    return Rows(
        np.array([SET] * len(found)),
        np.array([thread for thread, *_ in found]),
        texts,
        [describe(text, language) for text in texts],
        {"strict": strict, "uncivil": np.full(len(found), np.nan)},
        np.array([None] * len(found)),
    )


def _beside(sets: Rows, own: Rows) -> Rows:
    """The rows of both, the community's last."""
    import numpy as np

    return replace(
        sets,
        sets=np.concatenate([sets.sets, own.sets]),
        groups=np.concatenate([sets.groups, own.groups]),
        texts=[*sets.texts, *own.texts],
        described=[*sets.described, *own.described],
        labels={n: np.concatenate([sets.labels[n], own.labels[n]]) for n in sets.labels},
        splits=np.concatenate([sets.splits, own.splits]),
    )


def _at_home(db: duckdb.DuckDBPyConnection, aim: Aim, language: str, agreed: int) -> Aim:
    """The aim at this community's base rate, to which the usual one adds what few messages lack."""
    if aim.label != "strict":
        return aim
    messages = value(
        db,
        "SELECT count(score) FROM judgement.scores WHERE label = 'strict' AND language = ?",
        language,
    )
    rate = (agreed + _USUAL * aim.base_rate) / (messages + _USUAL)
    return replace(aim, base_rate=min(rate, 0.1))


def _average_precision(own: Rows, scores: Any, base_rate: float) -> float:
    from sklearn.metrics import average_precision_score

    from pipeline.classify.train import base_rate_weights

    labels = own.labels["strict"]
    weight = base_rate_weights(labels, base_rate)
    return float(average_precision_score(labels, scores, sample_weight=weight))


def _note_on_card(step: Step) -> str:
    return (
        f"\n## This community\n\n{step.at}: {step.action}; {step.why}. `{SET}` are messages its"
        " moderators judged, by verdicts or by reports; they are not shipped. Most of them had been"
        " flagged or reported, so they are harder than ordinary ones.\n"
    )


def _note(home: Path, step: Step) -> Step:
    _book(home).add(asdict(step))
    return step


def _book(home: Path) -> JsonLines:
    return JsonLines(home / "models" / "history.jsonl")


def _file(home: Path, step: Step) -> Path:
    return home / "models" / f"{step.language}-{step.version}.skops"


def _text(now: datetime) -> str:
    return now.astimezone(UTC).isoformat(timespec="seconds")
