"""The board: how well each judgement does, beside a plain baseline in the same run.

Texts of one issue, thread or wording never stand on both sides of a split. A board whose labelled
set is not in the folder is left out.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.classify import answers, chat, chat_sets, chat_train, questions
from pipeline.classify.answers import ThreadView, read_replies, unanswered
from pipeline.classify.features import rarity, vectors
from pipeline.classify.heat import heat
from pipeline.classify.judge import MODELS, TONES, Judge
from pipeline.classify.message import Message, Score
from pipeline.classify.model import load
from pipeline.classify.train import (
    AIMS,
    FOLDS,
    SEED,
    Rows,
    Trained,
    f1,
    fit,
    holds,
    out_of_fold,
    read,
    train,
)
from pipeline.text import authored


@dataclass(frozen=True, slots=True)
class Line:
    """One measurement.

    baseline  null where there is nothing plainer to compare with
    interval  of `ours`, 95 %, by drawing rows (whole groups of them) again and again; null for
              what is not a measurement of rows
    """

    board: str
    ours: float
    baseline: float | None
    rows: int
    interval: tuple[float, float] | None = None

    def __str__(self) -> str:
        plain = "     -" if self.baseline is None else f"{self.baseline:6.3f}"
        likely = "{:.3f} to {:.3f}".format(*self.interval) if self.interval else ""
        return f"{self.board:<{_WIDE}} {plain} {self.ours:7.4f}  {likely:<14} {self.rows:>7,}"


_WIDE = 74  # characters the longest of them has
HEADING = f"{'board':<{_WIDE}}  plain    ours  {'95 %':<14}    rows"
Measure = Callable[[Any, Any], float]
_DRAWS = 300


def _line(
    board: str, measure: Measure, gold: Any, ours: Any, plain: Any = None, *, groups: Any = None
) -> Line:
    """A measurement of what is said of rows against what is true of them."""
    rng = np.random.default_rng(SEED)
    gold, ours = np.asarray(gold), np.asarray(ours)
    _, place = np.unique(np.arange(len(gold)) if groups is None else groups, return_inverse=True)
    members = np.split(np.argsort(place, kind="stable"), np.cumsum(np.bincount(place))[:-1])
    drawn = []
    for _ in range(_DRAWS):
        at = np.concatenate([members[n] for n in rng.integers(len(members), size=len(members))])
        drawn.append(measure(gold[at], ours[at]))
    low, high = np.quantile(drawn, [0.025, 0.975])
    baseline = None if plain is None else measure(gold, np.asarray(plain))
    return Line(board, measure(gold, ours), baseline, len(gold), (float(low), float(high)))


def _right(gold: Any, said: Any) -> float:
    return float((gold == said).mean())


def _share(_: Any, said: Any) -> float:
    return float(said.mean())


def _auc(gold: Any, said: Any) -> float:
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(gold, said))


def evaluate(
    folder: Path, forum: Path | None = None, asking: int | None = None, showing: Sequence[int] = ()
) -> Iterator[Line]:
    """Every measurement that the labelled sets of a folder allow, and those of a recorded forum.

    forum    a file of `/t/{id}.json` bodies, one topic a line; .zst and .gz are read too
    asking   its category in which people ask; `showing`: those in which they show what they made
    """
    if holds(folder, "en"):
        yield from _english(read(folder, "en"), forum)
    if holds(folder, "zh"):
        rows = read(folder, "zh")
        yield _chinese(rows)
        yield from _alerts(rows, train(rows, "zh", AIMS["zh"]))
    if holds(folder, "de"):
        rows = read(folder, "de")
        yield from _tone(rows, "germeval", 4.0)
        yield from _alerts(rows, train(rows, "de", AIMS["de"]))
    if (folder / "irc_replies_starters_en.parquet").exists():
        yield from _chat(folder)
    if (folder / "gitter_dialogs_en.parquet").exists():
        yield from _quiet_chat(folder)
    if forum:
        yield from _forum(forum)
    if forum and asking is not None and showing:
        yield from _needs_answer(forum, asking, showing)


def _english(rows: Rows, forum: Path | None) -> Iterator[Line]:
    for name, strength in (("code_review", 4.0), ("gitter", 4.0), ("github_incivility", 1.0)):
        yield from _tone(rows, name, strength)
    github = "github_incivility", "github_derailment"
    for sets in (("code_review",), ("gitter",), github, ("surge",)):
        yield from _elsewhere(rows, sets)
    trained = train(rows, "en", AIMS["en"])
    yield from _alerts(rows, trained)
    if forum:
        yield from _alerts_on(forum, rows, trained)
    if "github_derailment" in rows.sets:
        yield _warming(rows, trained)


# --- tone ----------------------------------------------------------------------------------------


def _tone(rows: Rows, name: str, strength: float) -> Iterator[Line]:
    """F1 of "uncivil" within one set, at 0.5, on grouped folds."""
    part = rows.only(name)
    if not len(part.groups):
        return
    labels = part.labels["uncivil"].astype(int)
    ours = out_of_fold(part.matrix(), labels, part.groups, strength)
    plain = out_of_fold(part.texts, labels, part.groups, 4.0, _baseline)
    board = f"{name}: F1 uncivil, folds by group"
    yield _line(board, f1, labels == 1, ours > 0, plain > 0, groups=part.groups)


def _elsewhere(rows: Rows, sets: Sequence[str]) -> Iterator[Line]:
    """AUC of "uncivil" within some sets by a model that learned from the others alone: how far it
    carries to a community that taught it nothing."""
    labels = rows.labels["uncivil"]
    held = np.isin(rows.sets, sets)
    known = ~held & ~np.isin(rows.groups, rows.groups[held])
    if not held.any() or not known.any():
        return
    taught, texts = labels[known].astype(int), np.array(rows.texts, object)
    learned = [rows.described[n] for n in np.flatnonzero(known).tolist()]
    matrix = vectors(rows.described, rarity(learned))
    ours = fit(matrix[known], taught, 2.0).decision_function(matrix[held])
    plain = _baseline(list(texts[known]), taught, 4.0).decision_function(list(texts[held]))
    board = f"{sets[0]}: AUC uncivil, learned from other sets alone"
    yield _line(board, _auc, labels[held] == 1, ours, plain, groups=rows.groups[held])


def _baseline(texts: Sequence[str], labels: Any, strength: float) -> Any:
    """TF-IDF of words 1-2 and character parts 2-5 with logistic regression."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline, make_union

    words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, min_df=2)
    parts = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), sublinear_tf=True, min_df=2)
    model = LogisticRegression(C=strength, class_weight="balanced", max_iter=2000)
    return make_pipeline(make_union(words, parts), model).fit(texts, labels)


def _alerts(rows: Rows, trained: Trained) -> Iterator[Line]:
    """What the alert finds out of fold and how often it rings for nothing, on each set, and how far
    training again ends from the shipped model."""
    likely, labels = trained.out_of_fold["strict"], rows.labels["strict"]
    ringing = likely >= (trained.model.heads["strict"].threshold or 2.0)
    for name in sorted(set(rows.sets[labels == 1].tolist())):
        for label, what in ((1, "recall"), (0, "for nothing")):
            at = (rows.sets == name) & (labels == label)
            board = f"{name}: alerts, {what}"
            if at.any():
                yield _line(board, _share, labels[at], ringing[at], groups=rows.groups[at])
    language = trained.model.language
    shipped = load(MODELS / f"{language}.skops")
    what = f"model of {language} trained again: farthest probability from the shipped one's"
    yield Line(what, trained.model.distance(shipped, rows.described), None, len(rows.sets))


def _alerts_on(forum: Path, rows: Rows, trained: Trained) -> Iterator[Line]:
    """How often the alert rings on an ordinary forum; what it finds where 3 in 1,000 posts ring."""
    messages = [message for view, _ in _topics(forum) for message in view.messages]
    found = [s for s in Judge(("en",)).score(messages) if s.label == "strict"]
    flagged = np.array([score.is_flagged for score in found])
    yield _line("forum: alerts a post", _share, flagged, flagged)
    bar = np.quantile([score.score or 0.0 for score in found], 0.997)
    likely, labels = trained.out_of_fold["strict"], rows.labels["strict"]
    for name in ("github_incivility", "written_en"):
        at = (rows.sets == name) & (labels == 1)
        board = f"{name}: recall where 3 in 1,000 forum posts ring"
        if at.any():
            yield _line(board, _share, labels[at], likely[at] > bar, groups=rows.groups[at])


_TURNS = 3  # at least, before a thread derails


def _warming(rows: Rows, trained: Trained) -> Line:
    """AUC of heat just before a thread's first toxic comment, against calm threads of that length.
    Plain: the likeliest uncivil comment so far. The set names no authors, so tone and wording speak
    alone; scores are out of fold."""
    part = np.flatnonzero(rows.sets == "github_derailment")
    threads: dict[str, list[int]] = defaultdict(list)
    for at in part.tolist():
        threads[rows.groups[at]].append(at)
    toxic = rows.labels["strict"] == 1
    derailed, calm = [], []
    for comments in threads.values():
        first = next((n for n, at in enumerate(comments) if toxic[at]), None)
        if first is None:
            calm.append(comments)
        elif first >= _TURNS:
            derailed.append(comments[:first])
    lengths = {len(before) for before in derailed}
    cut = [each[:n] for n in sorted(lengths) for each in calm if len(each) > n]
    before = [*derailed, *cut]
    ours = [heat(_thread(rows, trained, each)).curve[-1] for each in before]
    plain = [max(trained.out_of_fold["uncivil"][each]) for each in before]
    gold = [(n < len(derailed), len(each)) for n, each in enumerate(before)]
    groups = [rows.groups[each[0]] for each in before]
    board = f"{len(derailed)} threads before their first toxic turn: heat, AUC"
    return _line(board, _auc_at_length, gold, ours, plain, groups=groups)


def _auc_at_length(gold: Any, said: Any) -> float:
    """AUC among threads of the same length, weighted by how many of them derail. `gold` has two
    columns: does it derail, and the length."""
    found, weights = [], []
    for length in np.unique(gold[gold[:, 0] == 1, 1]):
        here = gold[:, 1] == length
        if 0 < gold[here, 0].sum() < here.sum():
            found.append(_auc(gold[here, 0], said[here]))
            weights.append(gold[here, 0].sum())
    return float(np.average(found, weights=weights))


def _thread(rows: Rows, trained: Trained, comments: Sequence[int]) -> ThreadView:
    at = datetime(2020, 1, 1, tzinfo=UTC)
    messages = [
        Message("github", rows.groups[n], str(n), str(n), at, rows.texts[n], "markdown")
        for n in comments
    ]
    scores = {
        str(n): [
            Score(
                "github",
                str(n),
                "",
                "en",
                label,
                float(likely[n]),
                trained.model.heads[label].threshold,
                label,
                "",
            )
            for label, likely in ((tone, trained.out_of_fold[tone]) for tone in TONES)
        ]
        for n in comments
    }
    return ThreadView("github", rows.groups[comments[0]], messages, scores)


def _chinese(rows: Rows) -> Line:
    """Accuracy on the set's own dev half, less the texts that its train half also holds."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    known = rows.splits == "train"
    held = (rows.splits == "dev") & ~np.isin(rows.groups, rows.groups[known])
    labels, matrix = rows.labels["uncivil"].astype(int), rows.matrix()
    model = fit(matrix[known], labels[known], 4.0)
    vectorizer = TfidfVectorizer(analyzer="char", ngram_range=(1, 3), min_df=2, sublinear_tf=True)
    texts = np.array(rows.texts, dtype=object)
    plain = LogisticRegression(C=4.0, tol=1e-3, max_iter=500)
    plain.fit(vectorizer.fit_transform(texts[known]), labels[known])
    gold = labels[held]
    ours, plainly = (
        m.predict(x) for m, x in ((model, matrix[held]), (plain, vectorizer.transform(texts[held])))
    )
    return _line("COLD: accuracy on its dev half", _right, gold, ours, plainly)


# --- questions -----------------------------------------------------------------------------------


def _chat(folder: Path) -> Iterator[Line]:
    """Questions in flat chat: F1 of "unanswered" and of "answered" on the hand-linked dev half."""
    logs = chat_sets.read(folder, "dev")
    talks = {file: chat.Talk(channel) for file, channel in logs.channels.items()}
    where = [(logs.channels[file], place) for file, place, _ in logs.questions]
    gold = np.array([answer for _, _, answer in logs.questions])
    likely = [
        talks[file].answered(logs.channels[file][place].message_id)
        for file, place, _ in logs.questions
    ]
    ours = np.array(likely) >= chat.weights().answered
    plain = np.array([_named_within_50(*place) for place in where])
    for word, side in (("unanswered", False), ("answered", True)):
        yield _line(f"IRC dev: F1 {word}", f1, gold == side, ours == side, plain == side)
    begins, chances = np.array(list(chat_train.beginnings(logs, talks))).T
    yield _line(
        "IRC dev: which questions begin something, F1",
        f1,
        begins == 1,
        chances >= chat.weights().begins,
        np.ones(len(begins), bool),
    )


def _quiet_chat(folder: Path) -> Iterator[Line]:
    """Questions that began a dialog of a quiet channel: was another's answer seen, or its lack?
    By themselves, and with another dialog of the channel around them, with their own answers and
    without. The shipped weights have learned from these."""
    rooms = list(chat_sets.mix(chat_sets.read_dialogs(folder)))
    for board, kinds in (("quiet rooms", ("alone",)), ("rooms mixed", _MIXED)):
        some = [room for room in rooms if room.kind in kinds]
        gold = np.array([bool(room.answers) for room in some])
        likely = [chat.Talk(room.channel).answered(room.question) for room in some]
        ours = np.array(likely) >= chat.weights().answered
        plain = [
            _named_within_50(
                room.channel, [m.message_id for m in room.channel].index(room.question)
            )
            for room in some
        ]
        yield _line(f"Gitter: answered or not, accuracy in {board}", _right, gold, ours, plain)


_MIXED = ("among others", "left alone")


def _named_within_50(channel: Sequence[Message], at: int) -> bool:
    asker = channel[at].username or ""
    later = channel[at + 1 : at + 51]
    return any(m.username != asker and asker.lower() in m.body.lower() for m in later)


def _forum(forum: Path) -> Iterator[Line]:
    topics = list(_topics(forum))
    solved = [(view, str(t["accepted"])) for view, t in topics if t["accepted"]]
    yield _which_answer(solved)
    now = datetime(2100, 1, 1, tzinfo=UTC)
    alone = [len({m.account_id for m in view.messages}) == 1 for view, _ in solved]
    flagged = [unanswered(view, now).level == "L0" for view, _ in solved]
    yield _line("forum: solved topics flagged as unanswered", _share, alone, flagged, alone)
    hidden = [unanswered(_hide(view), now).level == "L0" for view, _ in solved]
    yield _line("forum: the same, the accepted mark hidden", _share, alone, hidden, alone)


def _hide(view: ThreadView) -> ThreadView:
    return replace(view, messages=[replace(m, is_accepted=False) for m in view.messages])


def _which_answer(solved: Sequence[tuple[ThreadView, str]]) -> Line:
    """Accuracy at 1 of the accepted answer; weights learned on other topics. Plain: first reply."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import KFold
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    tables = []
    for view, accepted in solved:
        replies = read_replies(_hide(view))
        names = [r.message.message_id for r in replies]
        if accepted in names:
            found = answers.evidence(view.messages[0], replies)
            first = next((r.message.message_id for r in replies if not r.is_asker), None)
            values = np.array([list(each.values()) for each in found])
            right = np.array([name == accepted for name in names])
            tables.append((values, right, first == accepted))
    hits: list[bool] = []
    for known, held in KFold(FOLDS, shuffle=True, random_state=SEED).split(tables):
        values = np.vstack([tables[n][0] for n in known])
        model = make_pipeline(StandardScaler(), LogisticRegression(C=0.03, max_iter=2000))
        model.fit(values, np.concatenate([tables[n][1] for n in known]))
        hits += [tables[n][1][model.decision_function(tables[n][0]).argmax()] for n in held]
    name = "forum: which reply is the accepted answer, accuracy at 1"
    return _line(name, _share, hits, hits, [first for _, _, first in tables])


def _topics(forum: Path) -> Iterator[tuple[ThreadView, dict[str, Any]]]:
    """Recorded topics as threads, each with its category and accepted answer (a post id)."""
    import duckdb

    with duckdb.connect() as db:
        bodies = db.execute(
            "SELECT json FROM read_json_objects(?, format = 'newline_delimited',"
            " maximum_object_size = 200000000)",
            [str(forum)],
        ).fetchall()
    for (body,) in bodies:
        topic = json.loads(body)
        posts = [p for p in topic["post_stream"]["posts"] if p["post_type"] == 1]
        number = {p["post_number"]: str(p["id"]) for p in posts}
        messages = [_post(topic, p, number) for p in posts]
        accepted = next((p["id"] for p in posts if p.get("accepted_answer")), None)
        if messages:
            view = ThreadView("forum", str(topic["id"]), messages)
            yield view, {"category": topic["category_id"], "accepted": accepted}


def _post(topic: dict[str, Any], post: dict[str, Any], number: dict[int, str]) -> Message:
    likes = next((a.get("count", 0) for a in post["actions_summary"] if a["id"] == 2), 0)
    return Message(
        source="forum",
        thread_id=str(topic["id"]),
        message_id=str(post["id"]),
        account_id=str(post["user_id"]),
        created_at=datetime.fromisoformat(post["created_at"].replace("Z", "+00:00")),
        body=post["cooked"],
        form="html",
        is_first=post["post_number"] == 1,
        title=topic["title"],
        reply_to=number.get(post["reply_to_post_number"]),
        username=post["username"],
        thanked_by=frozenset(f"somebody {n}" for n in range(likes)),  # who, is not recorded
        is_accepted=bool(post.get("accepted_answer")),
    )


def _needs_answer(forum: Path, asking: int, showing: Sequence[int]) -> Iterator[Line]:
    """AUC of "needs an answer" between categories: by rules that never saw the forum, and by
    the rules beside a model that learned the categories on other topics of it, as a community
    could train for itself. Plain: that model without the rules."""
    openings = [
        (topic["category"] == asking, view.messages[0])
        for view, topic in _topics(forum)
        if topic["category"] in {asking, *showing}
    ]
    labels = np.array([label for label, _ in openings], int)
    parts = [authored(m.body, m.form) for _, m in openings]
    titles = [re.sub(r"\[[^\]]*\]", "", m.title or "") for _, m in openings]
    rules = np.array([questions.needs_answer(*each)[0] for each in zip(titles, parts, strict=True)])
    texts = [f"{title}\n{part.text}" for title, part in zip(titles, parts, strict=True)]
    log_odds = np.log((0.01 + rules) / (1.01 - rules))
    groups = np.arange(len(labels))
    plain = out_of_fold(texts, labels, groups, 4.0, _baseline)
    ours = plain / plain.std() + 0.5 * log_odds / log_odds.std()
    name = "forum: needs an answer, AUC"
    yield _line(f"{name}, rules alone", _auc, labels, rules, plain)
    yield _line(f"{name}, rules and its own topics", _auc, labels, ours, plain)
