"""What `hearth doctor` says of a workspace: version, settings, and the account's rights."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from pipeline.errors import HearthError
from pipeline.settings import RocketChatSettings
from pipeline.sources import Finding, clocks
from pipeline.sources.rocketchat.client import Client
from pipeline.sources.rocketchat.rights import FOR_GROUPS, HARMFUL, NEEDED, PACE, VITAL, Rights
from pipeline.sources.rocketchat.rooms import Inventory, inventory

OLDEST = (7, 1)  # cursors in chat.syncMessages
_SETTINGS = {
    "Message_KeepHistory": "whether what was edited or deleted stays as a hidden copy",
    "Message_ShowDeletedStatus": "whether deleted messages leave a visible stub",
    "Message_MaxAllowedSize": "the longest message, characters",
}


def examine(client: Client, settings: RocketChatSettings) -> list[Finding]:
    """All findings, the account first; a question that failed is the last of them."""
    findings: list[Finding] = []
    try:
        rights = Rights.ask(client)
        findings.append(Finding("ok", f"signed in as {rights.me.get('username')}"))
        findings += _version(client)
        findings += _settings(client)
        findings += _rights(rights, settings)
        findings += clocks(client.transport.ahead_s)
        findings += _rooms(inventory(client, settings.private), settings)
    except HearthError as error:
        findings.append(Finding.of(error))
    return findings


def _version(client: Client) -> Iterator[Finding]:
    version = str(client.get("info").value.get("version", ""))
    parts = tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
    if parts >= OLDEST:
        yield Finding("ok", f"Rocket.Chat {version}")
    else:
        yield Finding(
            "fail",
            f"Rocket.Chat {version or 'of an unknown version'}",
            "7.1 is the oldest version that can be read; update the server",
        )


def _settings(client: Client) -> Iterator[Finding]:
    rows, _ = client.listed("settings.public", "settings")
    values = {row["_id"]: row.get("value") for row in rows}
    for name, meaning in _SETTINGS.items():
        if name in values:
            yield Finding("ok", f"{name} is {values[name]} ({meaning})")


def _rights(rights: Rights, settings: RocketChatSettings) -> Iterator[Finding]:
    if not rights.told:
        yield Finding(
            "warn",
            "the server does not say what the account's roles grant",
            f"see that they grant {', '.join(NEEDED)}",
        )
    needed = NEEDED | (
        {FOR_GROUPS: "read the private groups you named"} if settings.private else {}
    )
    for permission, purpose in needed.items():
        if permission in rights.held:
            yield Finding("ok", f"may {purpose}")
        elif rights.told or permission in VITAL:
            level: Literal["warn", "fail"] = "fail" if permission in VITAL else "warn"
            yield Finding(level, f"may not {purpose}", f"grant {permission} to the account's role")
    if rights.told and PACE not in rights.held:
        yield Finding(
            "warn",
            "the rate limit counts our calls: some rooms a minute",
            f"grant {PACE} to the account's role, to read all in seconds",
        )
    for permission, why in HARMFUL.items():
        if permission in rights.held:
            yield Finding("warn", f"has {permission}: {why}", "take it from the account's role")


def _rooms(rooms: Inventory, settings: RocketChatSettings) -> Iterator[Finding]:
    names = {str(room.get(n)) for room in rooms.rooms.values() for n in ("_id", "name", "fname")}
    yield Finding("ok", f"{len(rooms.rooms)} rooms may be read, {len(rooms.withheld)} are private")
    if rooms.adrift:
        yield Finding(
            "warn",
            f"{len(rooms.adrift)} public rooms are below a channel or team that was deleted or "
            "cannot be seen: only what was known as public is read",
            "name those that should be read by their id in `private` in hearth.toml",
        )
    for name in settings.private:
        if name in rooms.unclear:
            yield Finding(
                "warn",
                f"several private rooms are called {name!r}: none of them is read",
                "name the one that is meant by its id in hearth.toml",
            )
        elif name not in names:
            yield Finding(
                "warn",
                f"no private group {name!r} is visible to the account",
                "invite the account, or check the name in hearth.toml",
            )
