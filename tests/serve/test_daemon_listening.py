"""Where a daemon listens: whom it takes the place of, and what it leaves behind."""

from __future__ import annotations

import asyncio
import os
import socket
import stat
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from dspex.core.errors import ConfigurationError
from dspex.serve.listening import Network, UnixSocket

pytestmark = pytest.mark.skipif(
    sys.platform == "win32", reason="there are no Unix sockets"
)


class Hello(asyncio.Protocol):
    """Says hello, and no more."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        transport.write(b"hello")
        transport.close()


async def told(path: Path) -> bytes:
    reader, writer = await asyncio.open_unix_connection(path)
    heard = await reader.read()
    writer.close()
    return heard


def dead(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))


def test_a_socket_that_a_dead_process_left_is_taken_and_a_living_one_is_not(
    tmp_path: Path,
) -> None:
    path = tmp_path / "socket"
    dead(path)

    async def main() -> None:
        place = UnixSocket(path=path)
        listening = await place.open(Hello)
        assert listening.address == f"unix:{path}"
        assert await told(path) == b"hello"
        with pytest.raises(ConfigurationError, match="somebody serves at"):
            await place.open(Hello)
        assert await told(path) == b"hello"
        listening.close()

    asyncio.run(main())
    assert not os.path.lexists(path)


def test_one_who_is_too_busy_to_answer_is_not_taken_for_dead(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    with socket.socket(socket.AF_UNIX) as busy, socket.socket(socket.AF_UNIX) as first:
        busy.bind(str(path))
        busy.listen(0)
        first.connect(str(path))

        with pytest.raises(ConfigurationError, match="somebody serves at"):
            asyncio.run(UnixSocket(path=path).open(Hello))

    assert stat.S_ISSOCK(path.stat().st_mode)


@pytest.mark.parametrize("kind", ["file", "folder", "link"])
def test_what_is_no_socket_is_left_alone(tmp_path: Path, kind: str) -> None:
    path, other = tmp_path / "socket", tmp_path / "other"
    other.write_text("mine", encoding="utf-8")
    match kind:
        case "file":
            path.write_text("mine", encoding="utf-8")
        case "folder":
            path.mkdir()
        case _:
            path.symlink_to(other)

    with pytest.raises(ConfigurationError, match="nobody can listen at"):
        asyncio.run(UnixSocket(path=path).open(Hello))

    assert other.read_text("utf-8") == "mine"
    assert path.is_dir() if kind == "folder" else path.read_text("utf-8") == "mine"


def test_a_link_to_a_dead_socket_is_not_followed(tmp_path: Path) -> None:
    path, other = tmp_path / "socket", tmp_path / "other"
    dead(other)
    path.symlink_to(other)

    with pytest.raises(ConfigurationError, match="nobody can listen at"):
        asyncio.run(UnixSocket(path=path).open(Hello))

    assert path.is_symlink()
    assert os.path.lexists(other)


def test_a_path_that_is_too_long_is_told(tmp_path: Path) -> None:
    path = tmp_path / ("long" * 30)

    with pytest.raises(ConfigurationError, match="less than 100 characters"):
        asyncio.run(UnixSocket(path=path).open(Hello))


def test_the_socket_of_whoever_came_after_is_left(tmp_path: Path) -> None:
    path = tmp_path / "socket"

    async def main() -> None:
        first = await UnixSocket(path=path).open(Hello)
        path.unlink()
        second = await UnixSocket(path=path).open(Hello)

        first.close()
        assert await told(path) == b"hello"
        second.close()

    asyncio.run(main())
    assert not os.path.lexists(path)


def test_closing_again_or_after_somebody_removed_it_is_harmless(tmp_path: Path) -> None:
    path = tmp_path / "socket"

    async def main() -> None:
        listening = await UnixSocket(path=path).open(Hello)
        path.unlink()
        listening.close()
        listening.close()

    asyncio.run(main())


def test_an_address_of_six_groups_is_written_in_brackets() -> None:
    async def main() -> str:
        listening = await Network(host="::1", port=0).open(Hello)
        listening.close()
        return listening.address

    try:
        address = asyncio.run(main())
    except ConfigurationError:
        pytest.skip("this machine has no IPv6")

    assert address.startswith("http://[::1]:")
    assert not address.endswith(":0")


@pytest.mark.parametrize("kind", ["network", "folder"])
def test_many_may_wait_though_few_are_accepted_at_a_time(
    kind: str, tmp_path: Path
) -> None:
    path = tmp_path / "s"
    place = Network(port=0) if kind == "network" else UnixSocket(path=path)

    async def come() -> None:
        listening = await place.open(Hello, at_once=1)
        # The loop accepts nobody meanwhile.
        with ExitStack() as stack:
            for _ in range(100):
                family = socket.AF_INET if kind == "network" else socket.AF_UNIX
                caller = stack.enter_context(socket.socket(family))
                caller.settimeout(5)
                caller.connect(listening.server.sockets[0].getsockname())
        listening.close()

    asyncio.run(come())
