"""A Discourse site in a box: state in Discourse's own tables, its API over HTTP.

    forum = Forum()                      # methods are what people, bots and staff do
    site = app(forum, clock=clock)       # an ASGI app with a request log
    with running(Faults(site)) as addresses: ...

It speaks as a current Discourse does; `Switches` make it older, stricter or poorer.
"""

from pipeline.sandbox.discourse.bulk import big_forum
from pipeline.sandbox.discourse.forum import Forum
from pipeline.sandbox.discourse.site import ADMIN_KEY, READ_KEY, Site
from pipeline.sandbox.discourse.switches import Limits, Switches
from pipeline.sandbox.discourse.web import Key

app = Site

__all__ = [
    "ADMIN_KEY",
    "READ_KEY",
    "Forum",
    "Key",
    "Limits",
    "Site",
    "Switches",
    "app",
    "big_forum",
]
