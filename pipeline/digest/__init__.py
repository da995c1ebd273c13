"""The digest: select (pure), render (pure), deliver (once).

    marts.digest_items ──select──> Edition ──render_*──> text of one form ──deliver──> readers
                            ▲                                                  │
                            └── Ledger: what was told ─── heard: what was said of it <────┘

`Teller` does all of it for every audience and channel; a preview takes its editions and notes
nothing.
"""
