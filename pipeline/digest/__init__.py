"""The digest: select (pure), render (pure), deliver (once).

    marts.digest_items ──select──> Edition ──render_*──> text of one form ──deliver──> readers
                            ▲                                                  │
                            └── Ledger: what was told ── Verdicts: what was said of it <──┘

`Teller` does all of it for every audience and channel; `select` and `deliver_files` alone make a
preview that is noted nowhere.
"""

from pipeline.digest.edition import Claim, Edition, Health, Item, ItemKey, Section
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
from pipeline.digest.selection import select
from pipeline.digest.tell import Teller, Told
from pipeline.digest.verdicts import (
    CHOICES,
    Verdict,
    Verdicts,
    from_reactions,
    from_replies,
    snoozed,
)

__all__ = [
    "CHOICES",
    "Claim",
    "Edition",
    "Health",
    "Item",
    "ItemKey",
    "Ledger",
    "Section",
    "Teller",
    "Told",
    "Verdict",
    "Verdicts",
    "deliver_files",
    "from_reactions",
    "from_replies",
    "render_chat",
    "render_html",
    "render_json",
    "render_markdown",
    "render_rss",
    "render_text",
    "select",
    "snoozed",
]
