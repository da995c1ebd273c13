"""What each stream reads of Discourse's database.

Columns a forum lacks are left out, so one list serves all versions. Source: the model annotations
of Discourse 3.1 and the migrations since.
"""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.settings import DiscourseSettings
from pipeline.sources.discourse.privacy import POST_OF_X, Private, topic_of
from pipeline.sources.discourse.tables import (
    PAIR,
    SOLVED,
    WIDTH,
    Schema,
    Table,
    microseconds,
)


def all_tables(settings: DiscourseSettings, schema: Schema) -> list[Table]:
    """Every stream Data Explorer can give, in the order to read them, with what must stay private
    left out."""
    private = Private(settings.private)
    return [
        _categories(private),
        _users(settings.emails, schema),
        _topics(private),
        _posts(private),
        _likes(private),
        _solutions(private, schema),
        _revisions(private),
        _reactions(private),
        _visits(),
        *_moderation(private),
        *_chat(private, schema),
    ]


def _categories(private: Private) -> Table:
    return Table(
        "categories",
        columns="name slug description parent_category_id read_restricted topic_id user_id"
        " position",
        times="created_at updated_at",
        computed={
            "permissions": "(SELECT string_agg(concat_ws(':', g.group_id, g.permission_type), ','"
            " ORDER BY g.group_id) FROM category_groups g WHERE g.category_id = x.id)"
        },
        mark="updated_us md5(x.name) slug parent_category_id read_restricted permissions",
        where=private.category("x"),
    )


def _users(emails: bool, schema: Schema) -> Table:
    has_stats = not schema or "user_stats" in schema
    stats = (
        "post_count topic_count likes_given likes_received days_visited posts_read_count"
        " topics_entered time_read"
    )
    computed = {name: f"s.{name}" for name in stats.split()} if has_stats else {}
    if emails:
        computed["email_md5"] = (
            "(SELECT min(md5(lower(e.email))) FROM user_emails e"
            ' WHERE e.user_id = x.id AND e."primary")'
        )
    return Table(
        "users",
        joins="LEFT JOIN user_stats s ON s.user_id = x.id" if has_stats else "",
        columns="username name trust_level admin moderator staged active approved title locale"
        " primary_group_id",
        times="created_at updated_at last_seen_at last_posted_at suspended_at suspended_till"
        " silenced_till",
        computed=computed,
        mark="updated_us username md5(x.name) trust_level admin moderator staged active"
        f" suspended_till_us silenced_till_us last_posted_us email_md5 {stats}",
    )


def _topics(private: Private) -> Table:
    return Table(
        "topics",
        joins="LEFT JOIN categories c ON c.id = x.category_id",
        columns="title slug user_id category_id archetype visible closed archived pinned_globally"
        " views posts_count reply_count highest_post_number like_count participant_count word_count"
        " last_post_user_id featured_link deleted_by_id external_id locale",
        times="created_at updated_at bumped_at last_posted_at deleted_at pinned_at",
        computed={
            "tags": "(SELECT string_agg(g.name, ',' ORDER BY g.name) FROM topic_tags l"
            " JOIN tags g ON g.id = l.tag_id WHERE l.topic_id = x.id)"
        },
        mark="updated_us bumped_us deleted_us md5(x.title) user_id category_id archetype visible"
        " closed archived pinned_globally views posts_count reply_count highest_post_number"
        " like_count tags",
        where=private.topic("x"),
    )


def _posts(private: Private) -> Table:
    return Table(
        "posts",
        joins=topic_of("x"),
        columns="topic_id user_id post_number reply_to_post_number reply_to_user_id post_type raw"
        " cooked version public_version like_count reply_count quote_count reads word_count hidden"
        " hidden_reason_id user_deleted deleted_by_id wiki edit_reason last_editor_id self_edits"
        " action_code via_email locale",
        times="created_at updated_at deleted_at hidden_at last_version_at",
        mark="topic_id post_number like_count updated_us deleted_us user_id version hidden"
        " user_deleted reply_to_post_number post_type reply_count md5(x.raw)",
        where=private.post("x"),
    )


def _likes(private: Private) -> Table:
    """One row a post and person: alive if any of their likes is. Undone likes keep their time."""
    return Table(
        "likes",
        main="post_actions",
        rows=f"""(SELECT a.post_id * {PAIR} + a.user_id AS id, a.post_id, a.user_id,
            max(a.created_at) AS created_at,
            CASE WHEN count(*) = count(a.deleted_at) THEN max(a.deleted_at) END AS deleted_at
            FROM post_actions a WHERE a.post_action_type_id = 2 AND a.user_id IS NOT NULL
            AND a.post_id BETWEEN CAST(floor(:low / {PAIR}.0) AS bigint) - 1
            AND CAST(floor(:high / {PAIR}.0) AS bigint) + 1
            GROUP BY a.post_id, a.user_id)""",
        joins=POST_OF_X,
        columns="post_id user_id",
        times="created_at deleted_at",
        mark="created_us deleted_us",
        where=private.post(),
        width=WIDTH * PAIR,
    )


def _solutions(private: Private, schema: Schema) -> Table:
    """Accepted answers, in the newest of the three ways the Solved plugin has kept them."""
    newest, older = SOLVED
    if newest not in schema and "answer_post_id" not in schema.get(older, ()):
        return Table(
            "solutions",
            main="post_custom_fields",
            joins=POST_OF_X,
            columns="",
            times="created_at updated_at",
            computed={"topic_id": "p.topic_id", "answer_post_id": "x.post_id"},
            mark="topic_id created_us",
            where=f"x.name = 'is_accepted_answer' AND x.value = 'true' AND {private.post()}",
            id="x.post_id",
        )
    main, topic = (newest, "s") if newest in schema else (older, "x")
    solved = f"JOIN {older} s ON s.id = x.solved_topic_id " if newest in schema else ""
    return Table(
        "solutions",
        main=main,
        joins=solved + topic_of(topic),
        columns="answer_post_id accepter_user_id",
        times="created_at updated_at",
        computed={"topic_id": f"{topic}.topic_id"},
        mark="topic_id accepter_user_id created_us updated_us",
        where=private.topic(),
        id="x.answer_post_id",
    )


def _revisions(private: Private) -> Table:
    return Table(
        "revisions",
        main="post_revisions",
        joins=POST_OF_X,
        columns="post_id user_id number modifications",
        times="created_at updated_at",
        mark="updated_us user_id",
        where=f"NOT x.hidden AND {private.post()}",
    )


def _reactions(private: Private) -> Table:
    return Table(
        "reactions",
        main="discourse_reactions_reaction_users",
        joins="JOIN discourse_reactions_reactions r ON r.id = x.reaction_id " + POST_OF_X,
        columns="post_id user_id",
        times="created_at updated_at",
        computed={"reaction_value": "r.reaction_value"},
        mark="post_id user_id reaction_value updated_us",
        where=private.post(),
    )


def _visits() -> Table:
    """Accounts that were there, by day: no trace of one person's days."""
    return Table(
        "visits",
        main="user_visits",
        rows="""(SELECT CAST(v.visited_at - DATE '1970-01-01' AS bigint) AS id,
            CAST(v.visited_at AS text) AS visited_on, count(*) AS visits
            FROM user_visits v GROUP BY v.visited_at)""",
        columns="",
        times="",
        computed={name: f"x.{name}" for name in ("visited_on", "visits")},
        mark="visits",
    )


# user_histories.action: accounts (1, 2, 10, 11, 21, 24, 30 to 35, 65, 69), posts and topics (17,
# 18, 25, 49, 50, 53 to 56, 64, 91 to 94). Free texts are left out: they quote deleted posts, PMs.
STAFF_ACTIONS = (
    *(1, 2, 10, 11, 17, 18, 21, 24, 25, 30, 31, 32, 33, 34, 35, 49, 50, 53, 54, 55, 56),
    *(64, 65, 69, 91, 92, 93, 94),
)


def _moderation(private: Private) -> Iterator[Table]:
    of_topic = f"(t.id IS NOT NULL AND {private.topic()})"
    elsewhere = f"({{0}}.category_id IS NULL OR {private.category('k')})"  # a topic held back, chat
    where = f"({of_topic} OR ({{0}}.topic_id IS NULL AND {elsewhere}))"
    category = " LEFT JOIN categories k ON k.id = {0}.category_id"
    yield Table(
        "reports",
        main="reviewables",
        joins="LEFT " + topic_of("x") + category.format("x"),
        columns="type status created_by_id category_id topic_id score potential_spam target_id"
        " target_type target_created_by_id version",
        times="created_at updated_at latest_score",
        mark="updated_us status version topic_id created_by_id",
        where=where.format("x"),
    )
    yield Table(
        "report_scores",
        main="reviewable_scores",
        joins="JOIN reviewables r ON r.id = x.reviewable_id LEFT "
        + topic_of("r")
        + category.format("r"),
        columns="reviewable_id user_id status score reviewed_by_id",
        times="created_at updated_at reviewed_at",
        computed={"score_type_id": "x.reviewable_score_type"},
        mark="updated_us status reviewed_by_id",
        where=where.format("r"),
    )
    shown = "CASE WHEN x.action IN (2, 21) THEN x.{} END"
    yield Table(
        "staff_actions",
        main="user_histories",
        joins="LEFT " + topic_of("x"),
        columns="action acting_user_id target_user_id topic_id post_id category_id",
        times="created_at",
        computed={name: shown.format(name) for name in ("previous_value", "new_value")},
        mark="created_us acting_user_id target_user_id",  # a merge moves them alone
        where=f"x.action IN {STAFF_ACTIONS} AND (x.topic_id IS NULL OR {of_topic})",
    )


def _chat(private: Private, schema: Schema) -> Iterator[Table]:
    """Channels of readable categories. Direct messages are channels of another kind."""
    category = "JOIN categories c ON c.id = {0}.chatable_id AND {0}.chatable_type = 'Category'"
    channel = "JOIN chat_channels h ON h.id = {0}.chat_channel_id " + category.format("h")
    yield Table(
        "chat_channels",
        joins=category.format("x"),
        columns="chatable_id status threading_enabled",
        times="created_at updated_at deleted_at",
        computed={"title": "coalesce(x.name, c.name)", "read_restricted": "c.read_restricted"},
        mark="updated_us deleted_us title chatable_id status threading_enabled read_restricted",
        where=private.category(),
    )
    # What it answers and its thread stay out of the mark: both are set once, and lost when what it
    # answers expires. A channel without threads shows none, though its answers make them, until it
    # is switched.
    forced = " OR t.force" if "force" in schema.get("chat_threads", ()) else ""
    yield Table(
        "chat_messages",
        joins=channel.format("x"),
        columns="chat_channel_id user_id in_reply_to_id thread_id message",
        times="created_at updated_at deleted_at",
        computed={
            "threading_enabled": "h.threading_enabled",
            "original_message_id": "(SELECT t.original_message_id FROM chat_threads t"
            f" WHERE t.id = x.thread_id AND (h.threading_enabled{forced}))",
            "edited_us": microseconds(
                "(SELECT max(r.created_at) FROM chat_message_revisions r"
                " WHERE r.chat_message_id = x.id)"
            ),
            "mentioned_user_ids": "(SELECT array_agg(m.target_id ORDER BY m.target_id)"
            " FROM chat_mentions m WHERE m.chat_message_id = x.id"
            " AND CAST(m.type AS text) LIKE 'Chat%UserMention')",
        },
        mark="chat_channel_id updated_us deleted_us user_id edited_us mentioned_user_ids"
        " threading_enabled md5(x.message)",
        where=private.category(),
    )
    yield Table(
        "chat_message_reactions",
        joins=f"JOIN chat_messages m ON m.id = x.chat_message_id {channel.format('m')}",
        columns="chat_message_id user_id emoji",
        times="created_at",
        mark="chat_message_id user_id emoji",
        where=f"x.user_id IS NOT NULL AND {private.category()}",
    )
