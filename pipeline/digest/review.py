"""A forum's own review queue: findings are reported there, and what became of them is read back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pipeline.digest.edition import Item, ItemKey
from pipeline.digest.page import reason_of
from pipeline.digest.verdicts import Choice, Verdict
from pipeline.digest.words import Words
from pipeline.errors import FixAccess
from pipeline.settings import Community, DiscourseSettings
from pipeline.sources import ForumWriter
from pipeline.sources.discourse.client import Refused

if TYPE_CHECKING:
    import duckdb

# "Something else": moderators see it with our words. The one kind of report that never hides a post
# by itself, however many there are.
NOTIFY_MODERATORS = 7
OUTCOMES: Mapping[str, Choice] = {"agreed": "agree", "disagreed": "disagree", "ignored": "handled"}


def sources(community: Community) -> dict[str, DiscourseSettings]:
    """The forums whose review queue is to be used."""
    return {
        name: source
        for name, source in community.sources.items()
        if isinstance(source, DiscourseSettings) and source.review_queue
    }


def takes(item: Item) -> bool:
    """Whether an item can be reported there: only posts can. The forum's chat has another way to
    report messages, which Hearth does not use."""
    return item.message_id.isdigit()


def report(client: ForumWriter, item: Item, language: str) -> None:
    """Report the item's message to the moderators, as the account of this client, with reasons and
    reference. May run twice: a post the account has reported already is left alone.

    Raises FixAccess where the account or its key may not report.
    """
    if _is_reported(client, item.message_id):
        return
    say = Words(language, str)
    reasons = say("unit.semicolon").join(reason_of(code, v, say) for code, v in item.reasons)
    text = say("review.text", reasons=reasons, ref=item.ref)
    try:
        client.submit(
            "/post_actions.json",
            id=int(item.message_id),
            post_action_type_id=NOTIFY_MODERATORS,
            message=text,
        )
    except Refused as refusal:
        raise FixAccess(
            f"{refusal}; to use the review queue the account must be allowed to report posts, and "
            "its key to write: one with the scope global:read alone is not enough"
        ) from refusal


def outcomes(
    db: duckdb.DuckDBPyConnection,
    community: Community,
    reported: Mapping[tuple[str, str], tuple[ItemKey, ...]],
    now: datetime,
) -> Iterator[Verdict]:
    """What moderators decided of our reports: agreed, disagreed, or ignored, which is `handled`.

    reported  see `Ledger.reported`
    now       stands for the time of a decision that the forum does not tell
    """
    for name, settings in sources(community).items():
        rows = db.execute(
            "SELECT k.message_id, r.outcome, r.resolved_at, r.resolver_account_id"
            " FROM staging.reports AS r"
            " JOIN staging.reported AS k ON r.source = k.source AND r.case_id = k.case_id"
            " JOIN staging.accounts AS a ON r.source = a.source AND r.account_id = a.account_id"
            " WHERE r.source = ? AND r.kind = 'notify_moderators' AND r.outcome <> 'open'"
            " AND r.gone_at IS NULL AND lower(a.username) = lower(?) ORDER BY ALL",
            [name, settings.username],
        ).fetchall()
        for message_id, outcome, resolved_at, resolver in rows:
            keys = reported.get((name, message_id))
            if keys:
                at = resolved_at.replace(tzinfo=UTC) if resolved_at else now
                yield Verdict(keys, resolver or "", OUTCOMES[outcome], at, via=name)


def _is_reported(client: ForumWriter, message_id: str) -> bool:
    post = client.fetch(f"/posts/{message_id}.json")
    return any(
        action["id"] == NOTIFY_MODERATORS and action.get("acted")
        for action in post.get("actions_summary", ())
    )
