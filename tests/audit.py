"""Known vulnerabilities of what the lock file pins: `make audit`. It asks PyPI, and says so where
nobody answers; only what is known to be vulnerable fails."""

import json
import subprocess
import sys
from pathlib import Path

LOCK = Path(__file__).parents[1] / "requirements" / "runtime.lock.txt"


def verdict(answer):
    """(exit code, what to say) of pip-audit's answer; null: it gave none."""
    if answer is None:
        return 0, "nobody could be asked for vulnerabilities: there is no network to PyPI"
    known = [d for d in answer["dependencies"] if "skip_reason" not in d]
    found = [
        f"{d['name']} {d['version']}: {v['id']}, mended in {', '.join(v['fix_versions']) or 'no version'}"
        for d in known
        for v in d["vulns"]
    ]
    silent = len(answer["dependencies"]) - len(known)
    told = f"{len(known)} packages asked for, {len(found)} vulnerabilities"
    if silent:
        told += f"; of {silent} PyPI said nothing (a mirror without its JSON pages?)"
    return int(bool(found)), "\n".join([*found, told])


def main(pip_audit):
    command = [
        pip_audit,
        "--disable-pip",
        "--require-hashes",
        "-r",
        LOCK,
        "-f",
        "json",
        "--progress-spinner",
        "off",
        "--timeout",
        "15",
    ]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    code, says = verdict(json.loads(told.stdout) if told.stdout.startswith("{") else None)
    print(says)
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
