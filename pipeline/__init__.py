"""Hearth: a nightly community analytics pipeline over Discourse and Rocket.Chat."""

__version__ = "0.1.0"
