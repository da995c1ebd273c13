"""A Rocket.Chat workspace, 7.1 or newer: rooms, messages, people, reports; and posting to it."""

from __future__ import annotations

from collections.abc import Callable

from pipeline.settings import RocketChatSettings
from pipeline.sources.http import Budget, Transport
from pipeline.sources.rocketchat.client import MOST_CALLS_A_MINUTE
from pipeline.sources.rocketchat.source import RocketChat

__all__ = ["RocketChat", "connect"]


def connect(settings: RocketChatSettings, name: str, budget: Callable[..., Budget]) -> RocketChat:
    """The source of these settings. `budget` makes a budget of a number of calls and the seconds
    they are counted in."""
    headers = {
        "X-User-Id": settings.user_id.get_secret_value(),
        "X-Auth-Token": settings.token.get_secret_value(),
    }
    transport = Transport(
        settings.url,
        headers,
        source=name,
        budget=budget(MOST_CALLS_A_MINUTE, 60),
        timeout_s=settings.timeout_s,
        patience_s=settings.patience_s,
    )
    return RocketChat(settings, name, transport)
