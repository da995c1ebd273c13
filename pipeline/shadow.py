"""The shadow: what judges there is stored, and tells nobody."""

from __future__ import annotations

from collections.abc import Collection, Iterable

_CERTAIN = frozenset({"rule", "reports"})  # evidence that no model had to find


def rule_name(finding: str, evidence: str) -> str:
    """How settings and readers name a rule: what it finds, and by which kind of evidence."""
    return f"{finding}/{evidence}"


def in_light(
    finding: str, evidence: Iterable[str], model: str, shadow: Collection[str]
) -> list[str]:
    """The evidence of a finding that is told. A rule in the shadow hides its own, a model what it
    found itself: plain rules and members' reports stand without it."""
    told = [kind for kind in evidence if rule_name(finding, kind) not in shadow]
    return [kind for kind in told if kind in _CERTAIN] if model in shadow else told
