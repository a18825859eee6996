"""A stand-in for the server of a local model: started, watched and killed as that is.

It says where it listens on its first line, and ends when its input is closed.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from dspex.testing import FakeProvider
from tests.actors.rows import answer


def main() -> None:
    """Serve until nobody wants it."""
    with FakeProvider(answer=answer, latency=float(sys.argv[2])) as provider:
        Path(sys.argv[1]).write_text(str(os.getpid()), encoding="ascii")
        print(json.dumps({"address": provider.root_url}), flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
