"""The digest: select (pure), render (pure), deliver (once).

marts.digest_items ──select──> Edition ──render_*──> text of one form ──deliver──> readers
                        ▲                                                  │
                        └────────────── Ledger: what was told <────────────┘
"""

from pipeline.digest.edition import Edition, Health, Item, ItemKey, Section, select
from pipeline.digest.files import deliver_files
from pipeline.digest.ledger import Ledger
from pipeline.digest.render import (
    render_chat,
    render_html,
    render_json,
    render_markdown,
    render_rss,
    render_text,
)

__all__ = [
    "Edition",
    "Health",
    "Item",
    "ItemKey",
    "Ledger",
    "Section",
    "deliver_files",
    "render_chat",
    "render_html",
    "render_json",
    "render_markdown",
    "render_rss",
    "render_text",
    "select",
]
