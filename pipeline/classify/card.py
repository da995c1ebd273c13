"""Model cards: what a model is made of, what it does, and what it must not be used for."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from pathlib import Path

from pipeline.classify.model import Model, load, save
from pipeline.classify.train import AIMS, MANIFEST, SEED, Shown, read, train

_LIMITS = {
    "en": """- The texts are code reviews, developer chat, GitHub discussions and web comments.
  Other topics, dialects and the speech of particular groups were not measured.
- Words for groups of people are taken out before anything is weighed, so that saying who one is
  does not count. What is said about groups in other words is found less often for it.
- "uncivil" counts curses at code too, because its sets do. It is advice, and one part of a thread's
  heat; it is no reason to write to anybody.
- Irony, allusion and politeness with an edge are missed. So is most of what moderators of GitHub
  called toxic, as the table says. A quarrel is better seen in its thread than in one message.""",
    "zh": """- The only free Chinese set is about race, region and gender in social media. Technical
  forums speak otherwise: insults there are found mainly by rules, and recall is low.
- Words for groups of people are taken out before anything is weighed. Abuse of a group in words
  that name nothing else is therefore missed.
- Traditional characters and dialects were not measured.""",
}

_TRIED = {
    "en": """Alerts found among GitHub's strict ones where 3 in 1,000 posts of an ordinary forum
ring, folds by issue; the kept one finds 0.19:

- the worst sentence decides instead of the whole text (multiple instances, two rounds): 0.16;
- a second model over text, worst sentences and cue counts: logistic 0.19, boosted trees 0.16;
- every rude row of code review and chat counts as an alert: 0.12;
- their directed insults count as alerts and their curses at code as calm: 0.14;
- curses at code count as calm, directed insults are left out: 0.18.

Cues of double weight: F1 on code review 0.754 for 0.760, on chat 0.850 for 0.854.""",
    "zh": """- Words for groups of people left in: accuracy on COLD's dev half 0.899 for 0.891. Not
  kept: a model must not learn that naming a group is an offence.""",
}


def write_models(folder: Path, into: Path, languages: Sequence[str]) -> list[Path]:
    """Train a model of each language from a folder of labelled sets; write it and its card.

    Raises FixSettings where the folder holds no set of a language.
    """
    written = []
    for language in languages:
        model, shown = train(read(folder, language), language, AIMS[language])
        file = into / f"{language}.skops"
        save(model, file)
        load.cache_clear()
        card = into / f"{language}.md"
        card.write_text(render(model, shown), encoding="utf-8")
        written += [file, card]
    return written


def render(model: Model, shown: Sequence[Shown]) -> str:
    """The card as Markdown."""
    sets = tomllib.loads(MANIFEST.read_text(encoding="utf-8"))
    used = sorted({each.set for each in shown})
    lines = [
        f"# Model card: tone of messages, language `{model.language}`",
        "",
        f"Version `{model.version}`. Logistic regression over hashed words, pairs of words, parts"
        " of words and word-list cues; one vector, one head for each label. Made by"
        f" `hearth train` with seed {SEED}; `hearth evaluate` trains it again and compares.",
        "",
        "## Labels and thresholds",
        "",
        *(f"- **{name}**: {head.promise}." for name, head in sorted(model.heads.items())),
        "",
        "Scores are probabilities at that base rate. Rules (`cues/rules.toml`) stand outside the"
        " model: a text that breaks one scores at least 0.9 under both labels.",
        "",
        "## Data",
        "",
        "| set | source | licence |",
        "|---|---|---|",
        *(f"| {name} | {sets[name]['source']} | {sets[name]['licence']} |" for name in used),
        "",
        "## What it did on texts it had not seen",
        "",
        "Five folds; texts of one issue or one wording stay together. At the threshold:",
        "",
        "| label | set | rows | deserve it | found | flags in 1,000 that do not |",
        "|---|---|---|---|---|---|",
        *map(_row, shown),
        "",
        "## What it must not be used for",
        "",
        "No message is hidden, no thread closed and nobody warned on its word; no person is",
        "scored. A flag asks a person to look. Do not compare shares across versions of the model.",
        "",
        "## What it does not see",
        "",
        _LIMITS[model.language],
        "",
        "## Tried and not kept",
        "",
        _TRIED[model.language],
        "",
    ]
    return "\n".join(lines)


def _row(each: Shown) -> str:
    found = "" if each.recall is None else f"{each.recall:.2f}"
    return (
        f"| {each.label} | {each.set} | {each.rows:,} | {each.deserving:,} | {found} "
        f"| {each.per_thousand:.1f} |"
    )
