"""Hearth: a nightly community analytics pipeline over Discourse and Rocket.Chat."""

__version__ = "0.2.0"
