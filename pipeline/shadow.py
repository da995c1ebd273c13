"""The shadow: what judges there is stored, and tells nobody."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

_CERTAIN = frozenset({"rule", "reports"})  # evidence that no model had to find


def rule_name(finding: str, evidence: str) -> str:
    """How settings and readers name a rule: what it finds, and by which kind of evidence."""
    return f"{finding}/{evidence}"


def in_light(
    finding: str,
    evidence: Collection[str],
    reasons: Iterable[Mapping[str, Any]],
    model: str,
    shadow: Collection[str],
) -> list[str]:
    """The evidence of a finding that may be told.

    A rule in the shadow hides its own evidence, a model in the shadow what no other model found.
    The reason names the model that found each piece of evidence; without a name it was the
    finding's `model`. Plain rules and members' reports need none."""
    found_by = {kind: {model} for kind in evidence}
    found_by |= {r["evidence"]: set(r["models"].split()) for r in reasons if "models" in r}
    return [
        kind
        for kind in evidence
        if rule_name(finding, kind) not in shadow
        and (kind in _CERTAIN or not found_by[kind] <= set(shadow))
    ]
