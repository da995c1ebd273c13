"""Licences of what the product installs, and what an audit says of it."""

import re
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from tests.audit import verdict

LOCK = Path(__file__).parents[2] / "requirements" / "runtime.lock.txt"
ALLOWED = re.compile(
    r"MIT|BSD|Apache|ISC|PSF|Python Software Foundation|MPL|Mozilla|Unlicense|0BSD|Zlib|CC0|CNRI|OFL"
)
READ_BY_HAND = {
    "text-unidecode": "the Artistic License, at our choice",
    "skops": "MIT, in its LICENSE file; the metadata say only that OSI approved it",
}


def licences(name):
    """What a package's metadata say, each alternative or part by itself."""
    found = distribution(name).metadata
    stated = found.get("License-Expression")
    if stated:
        return re.split(r" (?:AND|OR|WITH) ", stated)
    classified = [c for c in found.get_all("Classifier") or [] if c.startswith("License ::")]
    return [c.split(" :: ")[-1] for c in classified] or [
        (found.get("License") or "none").split("\n")[0]
    ]


def test_every_licence_of_the_runtime_is_one_we_may_ship_with():
    names = set(re.findall(r"^([A-Za-z0-9._-]+)==", LOCK.read_text(), re.MULTILINE))
    refused, absent = {}, set()
    for name in sorted(names - READ_BY_HAND.keys()):
        try:
            bad = [said for said in licences(name) if not ALLOWED.search(said)]
        except PackageNotFoundError:  # for another platform or Python
            absent.add(name)
            continue
        if bad:
            refused[name] = bad
    assert refused == {}
    assert len(names) > 150
    assert len(absent) < 10, absent


def test_an_audit_fails_for_what_is_known_and_says_what_is_not():
    sound = {"name": "a", "version": "1", "vulns": []}
    sick = {"name": "b", "version": "2", "vulns": [{"id": "PYSEC-1", "fix_versions": ["3"]}]}
    silent = {"name": "c", "skip_reason": "not found"}
    assert verdict({"dependencies": [sound]}) == (0, "1 packages asked for, 0 vulnerabilities")
    code, says = verdict({"dependencies": [sound, sick, silent]})
    assert code == 1
    assert says.splitlines()[0] == "b 2: PYSEC-1, mended in 3"
    assert "of 1 PyPI said nothing" in says
    assert verdict(None) == (
        0,
        "nobody could be asked for vulnerabilities: there is no network to PyPI",
    )
