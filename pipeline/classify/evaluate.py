"""The board: how well each judgement does, beside a plain baseline in the same run.

Texts of one issue, thread or wording never stand on both sides of a split. A board whose labelled
set is not in the folder is left out.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.classify import answers, chat, questions
from pipeline.classify.answers import ThreadView, read_replies, unanswered
from pipeline.classify.judge import MODELS, Judge
from pipeline.classify.message import Message
from pipeline.classify.model import load
from pipeline.classify.train import AIMS, FOLDS, SEED, Rows, out_of_fold, read, train
from pipeline.text import authored


@dataclass(frozen=True, slots=True)
class Line:
    """One measurement. `baseline` is null where there is nothing plainer to compare with."""

    board: str
    ours: float
    baseline: float | None
    rows: int

    def __str__(self) -> str:
        plain = "     -" if self.baseline is None else f"{self.baseline:6.3f}"
        return f"{self.board:<72} {plain} {self.ours:6.3f} {self.rows:>7,}"


HEADING = f"{'board':<72}  plain   ours    rows"


def evaluate(
    folder: Path, forum: Path | None = None, asking: int | None = None, showing: Sequence[int] = ()
) -> Iterator[Line]:
    """Every measurement that the labelled sets of a folder allow, and those of a recorded forum.

    forum    a file of `/t/{id}.json` bodies, one topic a line; .zst and .gz are read too
    asking   its category in which people ask; `showing`: those in which they show what they made
    """
    rows = read(folder, "en")
    for name, strength in (("code_review", 4.0), ("gitter", 4.0), ("github_incivility", 1.0)):
        yield from _tone(rows, name, strength)
    yield from _alerts(rows, forum)
    if (folder / "offensive_cold_zh.parquet").exists():
        yield _chinese(read(folder, "zh"))
    if (folder / "irc_replies_starters_en.parquet").exists():
        yield from _chat(folder)
    if forum:
        yield from _forum(forum)
    if forum and asking is not None and showing:
        yield from _needs_answer(forum, asking, showing)


# --- tone ----------------------------------------------------------------------------------------


def _tone(rows: Rows, name: str, strength: float) -> Iterator[Line]:
    """F1 of "uncivil" within one set, at 0.5, on grouped folds."""
    from sklearn.metrics import f1_score

    part = rows.only(name)
    if not len(part.groups):
        return
    labels = part.labels["uncivil"].astype(int)
    ours = out_of_fold(part.matrix(), labels, part.groups, strength)
    plain = out_of_fold(part.texts, labels, part.groups, 4.0, _baseline)
    yield Line(
        f"{name}: F1 uncivil, folds by group",
        f1_score(labels, ours > 0),
        f1_score(labels, plain > 0),
        len(labels),
    )


def _baseline(texts: Sequence[str], labels: Any, strength: float) -> Any:
    """TF-IDF of words 1-2 and character parts 2-5 with logistic regression."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline, make_union

    words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, min_df=2)
    parts = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), sublinear_tf=True, min_df=2)
    model = LogisticRegression(C=strength, class_weight="balanced", max_iter=2000)
    return make_pipeline(make_union(words, parts), model).fit(texts, labels)


def _alerts(rows: Rows, forum: Path | None) -> Iterator[Line]:
    """What the alert finds out of fold, how often it rings for nothing, and whether training
    again gives the shipped model."""
    model, shown = train(rows, "en", AIMS["en"])
    for each in shown:
        if each.label == "strict" and each.recall is not None:
            name = f"{each.set}: alerts, recall"
            yield Line(name, each.recall, None, each.deserving)
            name = f"{each.set}: alerts for nothing, share"
            yield Line(name, each.per_thousand / 1000, None, each.rows - each.deserving)
    same = model.version == load(MODELS / "en.skops").version
    yield Line("English model trained again is the shipped one", float(same), None, len(rows.sets))
    if forum:
        messages = [message for view, _ in _topics(forum) for message in view.messages]
        found = [s.is_flagged for s in Judge(("en",)).score(messages) if s.label == "strict"]
        yield Line("forum: alerts a post", float(np.mean(found)), None, len(found))


def _chinese(rows: Rows) -> Line:
    """Accuracy on the set's own dev half, less the texts that its train half also holds."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    fit = rows.splits == "train"
    held = (rows.splits == "dev") & ~np.isin(rows.groups, rows.groups[fit])
    labels, matrix = rows.labels["uncivil"].astype(int), rows.matrix()
    model = LogisticRegression(C=4.0, tol=1e-3, max_iter=500).fit(matrix[fit], labels[fit])
    vectorizer = TfidfVectorizer(analyzer="char", ngram_range=(1, 3), min_df=2, sublinear_tf=True)
    texts = np.array(rows.texts, dtype=object)
    plain = LogisticRegression(C=4.0, tol=1e-3, max_iter=500)
    plain.fit(vectorizer.fit_transform(texts[fit]), labels[fit])
    return Line(
        "COLD: accuracy on its dev half",
        float((model.predict(matrix[held]) == labels[held]).mean()),
        float((plain.predict(vectorizer.transform(texts[held])) == labels[held]).mean()),
        int(held.sum()),
    )


# --- questions -----------------------------------------------------------------------------------


def _chat(folder: Path) -> Iterator[Line]:
    """Questions in flat chat: F1 of "unanswered" and of "answered" on the hand-linked dev half."""
    import duckdb
    from sklearn.metrics import f1_score

    channels: dict[str, list[Message]] = defaultdict(list)
    places: dict[tuple[str, int], int] = {}
    with duckdb.connect() as db:
        said = db.execute(
            'SELECT file, idx, "user", text, minute FROM read_parquet(?)'
            " WHERE split = 'dev' ORDER BY file, idx",
            [str(folder / "irc_replies_messages_en.parquet")],
        ).fetchall()
        asked = db.execute(
            "SELECT file, idx, answered_gold FROM read_parquet(?)"
            " WHERE split = 'dev' AND question_rule AND remain >= 100 ORDER BY file, idx",
            [str(folder / "irc_replies_starters_en.parquet")],
        ).fetchall()
    for file, number, writer, text, minute in said:
        at = datetime(2005, 1, 1, tzinfo=UTC) + timedelta(minutes=minute)
        places[file, number] = len(channels[file])
        channels[file].append(
            Message("irc", file, str(number), writer, at, text, "markdown", username=writer)
        )
    gold = np.array([answer for _, _, answer in asked])
    where = [(channels[file], places[file, number]) for file, number, _ in asked]
    ours = np.array([chat.answered(*place) >= chat.THRESHOLD for place in where])
    plain = np.array([_named_within_50(*place) for place in where])
    for word, side in (("unanswered", False), ("answered", True)):
        yield Line(f"IRC dev: F1 {word}", f1_score(gold == side, ours == side),
                   f1_score(gold == side, plain == side), len(gold))  # fmt: skip


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
    yield Line("forum: solved topics flagged as unanswered", float(np.mean(flagged)),
               float(np.mean(alone)), len(solved))  # fmt: skip
    hidden = [unanswered(_hide(view), now).level == "L0" for view, _ in solved]
    yield Line("forum: the same, the accepted mark hidden", float(np.mean(hidden)),
               float(np.mean(alone)), len(solved))  # fmt: skip


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
    hits = []
    for fit, held in KFold(FOLDS, shuffle=True, random_state=SEED).split(tables):
        values = np.vstack([tables[n][0] for n in fit])
        model = make_pipeline(StandardScaler(), LogisticRegression(C=0.03, max_iter=2000))
        model.fit(values, np.concatenate([tables[n][1] for n in fit]))
        hits += [tables[n][1][model.decision_function(tables[n][0]).argmax()] for n in held]
    name = "forum: which reply is the accepted answer, accuracy at 1"
    return Line(name, float(np.mean(hits)), float(np.mean([t[2] for t in tables])), len(hits))


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
    from sklearn.metrics import roc_auc_score

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
    baseline = roc_auc_score(labels, plain)
    name = "forum: needs an answer, AUC"
    yield Line(f"{name}, rules alone", roc_auc_score(labels, rules), baseline, len(labels))
    yield Line(f"{name}, rules and the forum's own topics", roc_auc_score(labels, ours), baseline,
               len(labels))  # fmt: skip
