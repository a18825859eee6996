"""`python -m tests.newcomer`: from an empty environment to a first score, for real.

It needs a network, or a folder of wheels that pip is configured to look in.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

from tests.newcomer.path import Walk, walk


def main() -> int:
    """Go the path, print the transcript, and say whether it was a good one."""
    parser = argparse.ArgumentParser(prog="python -m tests.newcomer")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep everything here")
    parser.add_argument("--json", action="store_true", help="print figures as JSON")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="dspex-newcomer-") as folder:
        found = walk((options.keep or Path(folder)).absolute())
    if options.keep is not None:
        kept = options.keep / "transcript.txt"
        kept.write_text(found.transcript(), encoding="utf-8")
    print(json.dumps(_as_json(found), indent=2) if options.json else found.transcript())
    for fault in found.faults():
        print(fault, file=sys.stderr)
    return 1 if found.faults() else 0


def _as_json(found: Walk) -> dict[str, object]:
    return {
        "ok": not found.faults(),
        "score": found.score,
        "download_seconds": round(found.download, 1),
        "seconds": round(found.seconds, 1),
        "commands": [
            {
                "command": step.command,
                "seconds": round(step.seconds, 1),
                "exit_code": step.code,
            }
            for step in found.steps
        ],
        "faults": found.faults(),
    }


if __name__ == "__main__":
    sys.exit(main())
