"""A Rocket.Chat workspace, 7.1 or newer: rooms, messages, people, reports; and posting to it."""

from pipeline.sources.rocketchat.source import RocketChat

__all__ = ["RocketChat"]
