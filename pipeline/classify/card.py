"""Model cards: what a model is made of, what it does, and what it must not be used for."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path

from pipeline.classify import chat_train
from pipeline.classify.chat_train import TRIED
from pipeline.classify.model import Model, load, save
from pipeline.classify.train import AIMS, MANIFEST, SEED, Shown, read, train

_LIMITS = {
    "en": """- The texts are code reviews, developer chat, GitHub discussions, web comments and what
  was written for Hearth. Other topics were measured on that alone, dialects and the speech of
  particular groups not at all. Where people tell stories, jokes and hard truths, more rings for
  nothing than among developers: in 1,000 of Debian's `fortunes` 15, in 1,000 posts of a forum 1.
- Words for groups of people are taken out before anything is weighed, so that saying who one is
  does not count. What is said about groups in other words is found less often for it.
- "uncivil" counts curses at code too, because its sets do. It is advice, and one part of a thread's
  heat; it is no reason to write to anybody.
- Irony, allusion and politeness with an edge are missed more often than not. So is most of what
  moderators of GitHub called toxic, as the table says. A quarrel is better seen in its thread than
  in one message.""",
    "de": """- The free set is tweets of 2018 about politics; how members speak to each other in
  German was measured on texts written for Hearth alone. No real German forum was.
- Words for groups of people are taken out before anything is weighed. What is said about groups in
  other words is found less often for it.""",
    "zh": """- The only free Chinese set is about race, region and gender in social media; how
  members speak to each other in Chinese was measured on texts written for Hearth alone. No real
  Chinese forum was; how often an alert rings for nothing, on reviews and documentation too.
- Words for groups of people are taken out before anything is weighed. Abuse of a group in words
  that name nothing else is therefore missed.
- Few of the texts are in traditional characters; dialects were not measured.""",
}
_WRITTEN = """Sets named `written_` were written for Hearth by a language model, in several roles
that saw none of the other sets and nothing of each other: contempt in decent words, and beside it
civil texts that share its words (banter, self-mockery, consolation, blunt advice, stories,
reviews). Nobody said any of it to anybody. They lie in `pipeline/classify/written/`. A role is held
out whole, so its rows are judged by what other roles taught. They are meant to be hard: how often
something rings there says nothing of a forum.
"""


def write_models(folder: Path, into: Path, languages: Sequence[str]) -> list[Path]:
    """Train a model of each language from a folder of labelled sets; write it and its card.

    "chat" is the model of who answers whom in a channel. Raises FixSettings where the folder holds
    no set of a language.
    """
    written = []
    for language in languages:
        if language == "chat":
            written += chat_train.write(folder, into)
            continue
        trained = train(read(folder, language), language, AIMS[language])
        file = into / f"{language}.skops"
        save(trained.model, file)
        load.cache_clear()
        card = into / f"{language}.md"
        card.write_text(render(trained.model, trained.shown), encoding="utf-8")
        written += [file, card]
    return written


def render(model: Model, shown: Sequence[Shown]) -> str:
    """The card as Markdown."""
    sets = tomllib.loads(MANIFEST.read_text(encoding="utf-8"))
    used = sorted({each.set for each in shown})
    lines = [
        f"# Model card: tone of messages, language `{model.language}`",
        "",
        f"Version `{model.version}`. Logistic regression, with and without columns weighed by their"
        " log-count ratio (NB-SVM), over hashed words, pairs of words, parts of words and word-list"
        " cues; one vector, one head for each label. Made by"
        f" `hearth train` with seed {SEED}; `hearth evaluate` trains it again and compares.",
        "",
        "## Labels and thresholds",
        "",
        *(f"- **{name}**: {head.promise}." for name, head in sorted(model.heads.items())),
        "",
        *(_FACTS for head in model.heads.values() if any(head.facts)),
        "Scores are probabilities at that base rate. Rules (`cues/rules.toml`) stand outside the"
        " model: a text that breaks one scores at least 0.9 under both labels.",
        "",
        "## Data",
        "",
        "| set | source | licence |",
        "|---|---|---|",
        *(
            f"| {name} | {sets[name]['source']} | {sets[name]['licence']} |"
            for name in used
            if name in sets
        ),
        "",
        _WRITTEN,
        *_strange(model.language),
        "## What it did on texts it had not seen",
        "",
        "Five folds; texts of one issue, one wording or one role stay together. At the threshold:",
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
        (TRIED / f"{model.language}.md").read_text(encoding="utf-8"),
    ]
    return "\n".join(lines)


def _strange(language: str) -> Iterator[str]:
    """A sentence on sets that teach words alone."""
    if names := sorted({name for aim in AIMS[language] for name in aim.strange}):
        yield (
            f"{', '.join(f'`{name}`' for name in names)}: teaches words; probabilities and"
            " thresholds come from the other sets.\n"
        )


_FACTS = """An alert also counts sentences that are aimed at somebody (`cues/aimed.toml`), and
curses at nobody. Where all that is rough in a text exclaims (`cues/exclaimed.toml`), it is
judged as an alert without its oaths.
"""


def _row(each: Shown) -> str:
    found = "" if each.recall is None else f"{each.recall:.2f}"
    return (
        f"| {each.label} | {each.set} | {each.rows:,} | {each.deserving:,} | {found} "
        f"| {each.per_thousand:.1f} |"
    )
