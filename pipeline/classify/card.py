"""Model cards: what a model is made of, what it does, and what it must not be used for."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from pathlib import Path

from pipeline.classify import chat_train
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
    "de": """- The texts are German tweets of 2018 about politics. Technical forums speak otherwise;
  nothing was measured there.
- No threshold is precise enough for an alert, so only plain rules raise one. "uncivil" finds one
  in eleven.
- Words for groups of people are taken out before anything is weighed. What is said about groups in
  other words is found less often for it.""",
    "zh": """- The only free Chinese set is about race, region and gender in social media. Technical
  forums speak otherwise: insults there are found mainly by rules, and recall is low.
- Words for groups of people are taken out before anything is weighed. Abuse of a group in words
  that name nothing else is therefore missed.
- Traditional characters and dialects were not measured.""",
}

_TRIED = {
    "de": """- Hate speech of politics taught by all its rows, profanity included, as alerts: no
  threshold reaches the precision asked for either.
- The plain baseline of `hearth evaluate`, which weighs words for groups too: F1 of uncivil 0.672
  for 0.670; with those words taken out of its texts too, 0.645. Not kept: a model must not learn
  that naming a group is an offence.
- Without columns weighed by their log-count ratio: F1 0.659; on three other sets of folds 0.662 for
  0.668.
- Alerts that rest on fewer than 50 right flags: with that weighing, 14 to 33 right ones stand
  before the first wrong one, by the folds: too few to promise a precision at 6 in 1,000.""",
    "en": """Alerts found among GitHub's strict ones where 3 in 1,000 posts of an ordinary forum
ring, folds by issue; the sum of views found 0.20 (95 %: 0.15 to 0.26), and 0.22 on the folds
these were compared on, where its predecessor finds 0.17:

- one model of the label alone 0.17, less regularised 0.21; GitHub's alerts weigh three times 0.18;
- GitHub's uncivil rows that are no alerts left out of the calm ones: 0.15, as a sum of views 0.23
  (within chance);
- the set of web comments left out 0.17, or weighing a fifth 0.14;
- the worst sentence decides instead of the whole text: 0.14; sums over sentences: 0.15;
- worst, mean and sum of the sentences beside the text, with counts of cues, as 49 more numbers:
  0.25, but every sentence would need a vector of its own; boosted trees over the same: 0.20;
- whom a rough word is aimed at (you, them, me, it), how curt the sentence, as cues: 0.16;
- cues alone 0.14, words and pairs alone 0.05, parts of words alone 0.05;
- cues of double weight 0.18;
- views of cues alone added to the sum 0.23; of words and parts alone 0.19;
- every rude row of code review and chat counts as an alert: 0.12.

Uncivil within GitHub, F1 0.577: 0.578 with the derailed threads added at a third of their weight,
0.575 with all sets at a tenth, 0.561 with the other sets' model as one more number. Cues of double
weight: F1 on code review 0.754 for 0.756.

Pre-trained word vectors: 40,272 words, each through all-MiniLM-L6-v2 once (Apache-2.0), cut to 64
numbers and weighed by rarity; a text is the mean, most and least of its words. Beside what there
is, in brackets without them:

- alerts as above, as five more views, three sets of folds: 0.19 (0.18), 0.23 (0.20), 0.22 (0.21),
  within chance; AUC among GitHub's comments 0.854 (0.842), 0.856 (0.847), 0.864 (0.850);
- uncivil, in one regression with the words, two sets of folds: F1 within code review 0.765 (0.762)
  and 0.756 (0.757), Gitter 0.855 (0.849) and 0.847 (0.842), GitHub 0.575 (0.571) and 0.583 (0.582).

Two megabytes and a second way to see a text, for gains within chance. MiniLM itself over the whole
comment, beside the views and fitted to GitHub alone, reaches AUC 0.885 (0.861) and 0.886 (0.865),
and by itself 0.823 and 0.815: the better part of it is in words already.

All of this was compared before columns were weighed by their log-count ratio (NB-SVM). F1 of
uncivil with that, on the three sets of folds it was chosen by (the two in the middle on texts read
a version earlier):

| | code review | Gitter | GitHub |
|---|---|---|---|
| without it | 0.761 | 0.847 | 0.577 |
| the weighed regression alone | 0.773 | 0.857 | 0.566 |
| the mean of both | 0.772 | 0.858 | 0.572 |
| the same, the weighed one regularised 3.3 times as much: kept | 0.770 | 0.857 | 0.574 |

Alerts at their own threshold, two sets of folds: of GitHub's 0.16 and 0.17 (without it 0.13 and
0.14); in 1,000 posts of an ordinary forum 1.5 and 1.7 (1.1 and 1.0). Where 3 in 1,000 ring, 0.20
and 0.18 (0.17 and 0.20): within chance. It finds more at the same precision, but does not tell
abuse on GitHub apart better. On the folds of `hearth evaluate`, which it was not
chosen by: F1 0.771 (0.758), 0.861 (0.852) and 0.577 (0.577); where 3 in 1,000 ring, 0.23 (95 %:
0.18 to 0.29) for 0.20.""",
    "zh": """- Words for groups of people left in: accuracy on COLD's dev half 0.899 for 0.891,
  before columns were weighed by their log-count ratio. Not kept: a model must not learn that naming
  a group is an offence.
- Without that weighing: 0.892 for 0.901.""",
}


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
