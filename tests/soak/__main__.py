"""Have a daemon work for long, and see whether it stays as it is.

```
python -m tests.soak --minutes 30 --json
```

Callers ask and evaluate all the time, the configuration is reloaded and actors are
killed; resident memory, threads and open files of the daemon are measured. It ends with
1 when an answer was wrong or missing, or one of them grows: by its robust slope, after
a third of the time, by more than `tests.soak.play.ALLOWED`.

What is bounded is full before it is judged: in half an hour 500 answers in the cache of
memory and 2,000 in that on disk, fewer in a shorter time; 1,000 calls in the history,
1,024 ended requests in the ledger.

The allocator is no part of what is judged. That of glibc keeps what each thread freed,
up to 7 pieces of each of 64 sizes, in heaps of which there are several: with some
thirty threads that is megabytes that fill for many minutes, though no object is left.
So the daemon runs with one heap and without those pieces; what still grows is held by
somebody. To see it as it is deployed, set `GLIBC_TUNABLES` to nothing.
"""

from __future__ import annotations

import json
import tempfile
from dataclasses import asdict
from pathlib import Path

import click

from tests.soak.flat import by_tenth
from tests.soak.play import soaked


@click.command()
@click.option("--minutes", default=30.0, show_default=True)
@click.option("--kill-every", default=5.0, show_default=True, help="Seconds.")
@click.option("--reload-every", default=7.0, show_default=True, help="Seconds.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def main(
    *, minutes: float, kill_every: float, reload_every: float, as_json: bool
) -> None:
    """Work for so many minutes."""
    with tempfile.TemporaryDirectory() as home:
        came = soaked(
            Path(home),
            seconds=60 * minutes,
            kill_every=kill_every,
            reload_every=reload_every,
        )
    told = asdict(came)
    del told["samples"]
    told["trends"] = {
        name: asdict(each) | {"flat": each.is_flat}
        for name, each in came.trends.items()
    }
    told["by_tenth"] = {name: by_tenth(came.samples[name]) for name in came.samples}
    told["sound"] = came.is_sound
    lines = [f"{name}: {value}" for name, value in told.items()]
    click.echo(json.dumps(told) if as_json else "\n".join(lines))
    raise SystemExit(not came.is_sound)


if __name__ == "__main__":
    main()
