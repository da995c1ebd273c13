"""What a visitor of the sandbox forum may see, as SQL conditions. Source: `lib/guardian.rb`."""

from __future__ import annotations

from pipeline.sandbox.discourse.web import Visit


def categories(visit: Visit, column: str) -> str:
    """Condition: the category is readable. Admins read all; a null category is a PM's."""
    if visit.admin:
        return "TRUE"
    groups = (
        "SELECT 0"
        if visit.user_id is None
        else (f"SELECT 0 UNION SELECT group_id FROM group_users WHERE user_id = {visit.user_id}")
    )
    return (
        f"({column} IS NULL OR {column} IN (SELECT id FROM categories WHERE NOT read_restricted)"
        f" OR {column} IN (SELECT category_id FROM category_groups WHERE group_id IN ({groups})))"
    )


def private_topics(visit: Visit, column: str) -> str:
    """Condition: this private message is the visitor's to read. Admins read all."""
    if visit.admin:
        return "TRUE"
    if visit.user_id is None:
        return "FALSE"
    return (
        f"({column} IN (SELECT topic_id FROM topic_allowed_users WHERE user_id = {visit.user_id})"
        f" OR {column} IN (SELECT topic_id FROM topic_allowed_groups JOIN group_users USING"
        f" (group_id) WHERE user_id = {visit.user_id}))"
    )


def topics(visit: Visit, table: str = "t") -> str:
    """Condition: the topic may be opened, by its address."""
    deleted = "TRUE" if visit.staff else f"{table}.deleted_at IS NULL"
    return (
        f"{deleted} AND CASE WHEN {table}.archetype = 'private_message'"
        f" THEN {private_topics(visit, table + '.id')}"
        f" ELSE {categories(visit, table + '.category_id')} END"
    )


def listed_topics(visit: Visit, table: str = "t") -> str:
    """Condition: the topic stands in public lists. Unlisted ones do so for staff only."""
    unlisted = "TRUE" if visit.staff else f"{table}.visible"
    definitions = (
        "TRUE"
        if visit.switches.category_definitions_listed
        else (f"{table}.id NOT IN (SELECT topic_id FROM categories WHERE topic_id IS NOT NULL)")
    )
    return (
        f"{table}.archetype <> 'private_message' AND {unlisted} AND {definitions}"
        f" AND {categories(visit, table + '.category_id')}"
    )


def whispers(visit: Visit, table: str = "p") -> str:
    """Condition: the post is no whisper, or staff asks."""
    return "TRUE" if visit.staff else f"{table}.post_type <> 4"
