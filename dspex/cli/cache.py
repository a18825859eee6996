"""`dspex cache`: look at the answers that are kept, and tidy them."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from dspex.cli.cache_exchange import export_, import_
from dspex.cli.cache_file import open_cache
from dspex.cli.console import (
    Exit,
    Failure,
    json_option,
    show,
    show_json,
    traceback_option,
)
from dspex.cli.units import date_text, size, size_text, span

if TYPE_CHECKING:
    from dspex.cache.contents import Listed

SHOWN_DIGITS = 12
"""How much of a key is shown; enough to name an answer by."""
ALL_DIGITS = 64
"""How long a key is."""


@click.group(commands=[export_, import_])
def cache() -> None:
    """Look at the answers that are kept on disk, and tidy them.

    They lie in one file below DSPEX_HOME; `dspex where` shows it. Programs that run may
    go on meanwhile.
    """


@cache.command()
@json_option
@traceback_option
def stats(as_json: bool) -> None:  # noqa: FBT001 - click passes by name
    """Say how many answers there are, and how much room they take."""
    from dspex.cache import contents

    with open_cache() as database:
        found = contents.statistics(database)
        on_disk = contents.disk_bytes(database.path)
    if as_json:
        show_json(
            {"path": str(database.path), "bytes_on_disk": on_disk} | asdict(found)
        )
        return
    show(f"file         {database.path}")
    show(f"answers      {found.size:,}")
    show(f"size         {size_text(found.bytes)} ({size_text(on_disk)} on the disk)")
    show(f"attachments  {found.attachments:,}")
    show(f"set aside    {found.damaged:,} damaged")
    show(f"oldest       {date_text(found.oldest)}")
    show(f"newest       {date_text(found.newest)}")


@cache.command("list")
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=20,
    show_default=True,
    metavar="N",
    help="Show N answers at most.",
)
@click.option(
    "--page",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    metavar="N",
    help="Show the Nth page of them.",
)
@json_option
@traceback_option
def list_(limit: int, page: int, as_json: bool) -> None:  # noqa: FBT001 - click passes by name
    """List the answers, newest first, without what was asked and said."""
    from dspex.cache import contents

    with open_cache() as database:
        found = contents.listed(database, limit=limit, offset=(page - 1) * limit)
    if as_json:
        show_json([_plain(entry) for entry in found])
        return
    for entry in found:
        show(
            f"{entry.key[:SHOWN_DIGITS]}  {date_text(entry.created)}  "
            f"{size_text(entry.size):>8}  {entry.provider}/{entry.model}"
        )


@cache.command("show")
@click.argument("key")
@json_option
@traceback_option
def show_(key: str, as_json: bool) -> None:  # noqa: FBT001 - click passes by name
    """Show what was asked and answered; KEY is as `dspex cache list` shows it."""
    import json

    from dspex.cache import contents
    from dspex.cache.entry import dump_reply

    with open_cache() as database:
        entry = contents.find(database, key)
    if entry is None:
        raise Failure(_unknown(key), Exit.FAILED)
    reply = json.loads(dump_reply(entry.reply))
    if as_json:
        show_json({**_plain(entry), "request": entry.request, "reply": reply})
        return
    show(f"key      {entry.key}")
    show(f"model    {entry.provider}/{entry.model} at {entry.place}")
    show(f"came     {date_text(entry.created)}, last used {date_text(entry.used)}")
    show(f"settings {json.dumps(entry.request['settings'])}")
    for turn in entry.request["messages"]:
        show(f"\n[{turn['role']}]\n{_said(turn['content'])}")
    for text in entry.reply.texts:
        show(f"\n[answer]\n{text}")


@cache.command()
@click.option(
    "--older-than",
    type=span,
    metavar="SPAN",
    help="Delete answers that came longer ago, such as 12h or 30d.",
)
@click.option(
    "--max-size",
    type=size,
    metavar="SIZE",
    help="Delete those used least recently until the rest fits, such as 500MB or 2GB.",
)
@json_option
@traceback_option
def prune(
    older_than: float | None,
    max_size: float | None,
    as_json: bool,  # noqa: FBT001 - click passes by name
) -> None:
    """Delete answers that are old, or that take too much room."""
    from dspex.cache import contents

    if older_than is None and max_size is None:
        raise click.UsageError(
            "nothing was said to go. Add --older-than or --max-size."
        )
    with open_cache() as database:
        done = contents.prune(database, older_than=older_than, max_bytes=max_size)
    if as_json:
        show_json(asdict(done))
    else:
        show(f"deleted {done.answers:,} answers, freed {size_text(done.bytes)}")


@cache.command()
@click.option("--yes", is_flag=True, help="Do not ask.")
@traceback_option
def clear(yes: bool) -> None:  # noqa: FBT001 - click passes by name
    """Delete all answers, after asking."""
    from dspex.cache import contents

    with open_cache() as database:
        count = contents.statistics(database).size
        if count and not yes:
            click.confirm(f"Delete all {count:,} answers?", abort=True, err=True)
        show(f"deleted {contents.clear(database):,} answers")


@cache.command()
@click.argument("key")
@json_option
@traceback_option
def explain(key: str, as_json: bool) -> None:  # noqa: FBT001 - click passes by name
    """Say why the request with this KEY is or was not answered from the file.

    KEY is as an event ("dspex", "cache", "miss") or `dspex cache list` has it. In a
    program, `lm.explain` takes the question itself.
    """
    from dspex.cache import contents
    from dspex.cache import explain as explaining
    from dspex.cache.key import Identity

    with open_cache() as database:
        known = contents.whole_key(database, key)
        if known is None and len(key) < ALL_DIGITS:
            raise Failure(_unknown(key), Exit.FAILED)
        found = explaining.explain(database, Identity(known or key, ""))
    if as_json:
        why = None if found.absence is None else found.absence.value
        show_json(asdict(found) | {"absence": why})
    else:
        show(str(found))


def _unknown(key: str) -> str:
    return (
        f"no answer has a key that begins with {key!r}; one that `dspex cache list` "
        "shows was expected, or to `dspex cache explain` the whole key of a miss. Pass "
        "one of those."
    )


def _plain(entry: Listed) -> dict[str, Any]:
    """What a list shows of an answer, as JSON values."""
    return {
        "key": entry.key,
        "provider": entry.provider,
        "place": entry.place,
        "model": entry.model,
        "created": entry.created,
        "used": entry.used,
        "size": entry.size,
    }


def _said(content: Any) -> str:
    """What a turn says, for people; parts that are no text by their names."""
    if isinstance(content, str):
        return content or "(an attachment)"
    return "\n".join(
        str(part["text"]) if "text" in part else f"({', '.join(part)})"
        for part in content
    )
