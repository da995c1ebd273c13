"""`make bench`, or `python -m tests.bench [--messages 10_000_000 ...] [--home FOLDER]`."""

import argparse
import tempfile
from pathlib import Path

from tests.bench import nights, reading, scheduled


def main():
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument(
        "--messages", type=int, nargs="*", default=[1_000_000], help="sizes to measure"
    )
    asked.add_argument("--memory", default="4GB", help="what the work file may use")
    asked.add_argument("--home", type=Path, help="keep what is made in this folder")
    asked.add_argument("--no-reading", action="store_true", help="leave the servers out")
    asked.add_argument("--no-airflow", action="store_true", help="leave the scheduled nights out")
    options = asked.parse_args()
    if not options.no_reading:
        reading.main()
    with tempfile.TemporaryDirectory() as folder:
        if not options.no_airflow:
            scheduled.run(Path(folder) / "scheduled")
        nights.run(options.messages, options.memory, options.home or Path(folder))


if __name__ == "__main__":
    main()
