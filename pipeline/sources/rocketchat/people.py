"""Accounts and roles. The server gives no change times here, so each night lists all."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.records import Part, Record, Span
from pipeline.sources.rocketchat.client import Client, Doc, rows_of, to_ms

_PERSONAL = {"emails", "services", "inviteToken", "customFields", "phone", "bio"}


def read_people(client: Client) -> Iterator[Part]:
    """All accounts, without addresses and secrets; who is not listed any more was deleted. And the
    roles they hold."""
    users, reply = client.listed("users.list", "users", sort='{"_id":1}')
    records = tuple(
        Record("users", user["_id"], _impersonal(user), reply.asked_at) for user in users
    )
    keys = tuple(user["_id"] for user in users)
    yield Part(records, (Span("users", reply.asked_at, keys=keys),))
    roles = client.get("roles.list")
    yield Part(
        tuple(
            Record("roles", role["_id"], role, roles.asked_at, to_ms(role["_updatedAt"]) * 1000)
            for role in rows_of(roles, "roles", "_id", "_updatedAt")
        )
    )


def _impersonal(user: Doc) -> Doc:
    return {name: value for name, value in user.items() if name not in _PERSONAL}
