"""Accounts and roles. The server gives no change times here, so each night lists all."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from pipeline.records import Part, Record, Span
from pipeline.sources.rocketchat.client import Client, Doc, rows_of, to_ms

_PERSONAL = {"emails", "services", "inviteToken", "customFields", "phone", "bio"}


def read_people(client: Client, emails: bool) -> Iterator[Part]:
    """All accounts, without secrets; who is not listed any more was deleted. And the roles they
    hold. Of addresses, where `emails`, the MD5 of the first that was confirmed."""
    users, reply = client.listed("users.list", "users", sort='{"_id":1}')
    records = tuple(
        Record("users", user["_id"], _impersonal(user, emails), reply.asked_at) for user in users
    )
    keys = tuple(user["_id"] for user in users)
    yield Part(records, (Span("users", reply.asked_at, keys=keys),))
    roles = client.get("roles.list")
    yield Part(
        tuple(
            Record("roles", role["_id"], role, roles.asked_at, _at(role))
            for role in rows_of(roles, "roles", "_id")
        )
    )


def _impersonal(user: Doc, emails: bool) -> Doc:
    kept = {name: value for name, value in user.items() if name not in _PERSONAL}
    for email in user.get("emails", ()) if emails else ():
        if email.get("verified"):
            address = email["address"].lower().encode()
            return kept | {"email_md5": hashlib.md5(address, usedforsecurity=False).hexdigest()}
    return kept


def _at(role: Doc) -> int | None:
    changed = role.get("_updatedAt")
    return None if changed is None else to_ms(changed) * 1000
