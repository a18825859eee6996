"""Transports through a real proxy."""

from __future__ import annotations

import asyncio
import base64
import ssl
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing

import pytest

from dspex.client.aiohttp_transport import AiohttpTransport
from dspex.client.http_messages import HttpRequest
from dspex.client.proxies import Proxies
from dspex.client.tls import shared_context
from dspex.client.transport import Transport, make_transport
from dspex.core import errors
from tests.contracts.proxy import proxying
from tests.contracts.test_transport_tls import (
    CERTIFICATE,
    PATIENT,
    Server,
    ask,
    listening,
)

PASSWORD = "tell-nobody"

Make = Callable[[Proxies], Transport]


@pytest.fixture
def make() -> Make:
    """The transports that know proxies; they trust the test's certificate."""
    environ = {"SSL_CERT_FILE": str(CERTIFICATE)}

    def made(proxies: Proxies) -> Transport:
        return AiohttpTransport(
            proxies=proxies, make_context=lambda: shared_context(environ)
        )

    return made


def run(scenario: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        await asyncio.wait_for(scenario(), PATIENT)
        # The servers see their clients go, and end.
        this = asyncio.current_task()
        others = asyncio.gather(*asyncio.all_tasks() - {this}, return_exceptions=True)
        for end in await asyncio.wait_for(others, PATIENT):
            # The proxy cancels the other way of a tunnel when one is over.
            if isinstance(end, Exception):
                raise end
        await asyncio.sleep(0)

    asyncio.run(bounded())


@asynccontextmanager
async def using(transport: Transport) -> AsyncIterator[Transport]:
    try:
        yield transport
    finally:
        await transport.aclose()


async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer one plain request, and wait for the end."""
    with closing(writer):
        await reader.readuntil(b"\r\n\r\n{}")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        await reader.read()


def only(address: str, *, user: str = "") -> Proxies:
    return Proxies.only(f"http://{user}{address}")


def basic(user: str) -> str:
    return "Basic " + base64.b64encode(user.encode()).decode()


def test_https_is_tunnelled_and_the_tunnel_is_used_again(make: Make) -> None:
    async def scenario() -> None:
        server = Server()
        async with (
            proxying() as proxy,
            listening(server.echo) as url,
            using(make(only(proxy.address))) as transport,
        ):
            bodies = [(await ask(transport, url, body=b"x")).body for _ in range(2)]
        address = url.removeprefix("https://").rstrip("/")
        assert bodies == [b"x", b"x"]
        assert proxy.requests == [f"CONNECT {address} HTTP/1.1"]
        assert server.connections == 1

    run(scenario)


def test_plain_requests_are_handed_to_the_proxy_whole(make: Make) -> None:
    async def scenario() -> None:
        async with (
            proxying() as proxy,
            listening(plain, tls=False) as https_url,
            using(make(only(proxy.address))) as transport,
        ):
            url = https_url.replace("https", "http")
            response = await ask(transport, url)
        assert response.body == b"ok"
        assert proxy.requests == [f"POST {url} HTTP/1.1"]

    run(scenario)


@pytest.mark.parametrize("tls", [True, False], ids=["https", "http"])
def test_proxy_is_told_its_user_and_the_server_is_not(make: Make, *, tls: bool) -> None:
    async def scenario() -> None:
        seen: list[bytes] = []

        async def serve(
            reader: asyncio.StreamReader, writer: asyncio.StreamWriter
        ) -> None:
            with closing(writer):
                seen.append(await reader.readuntil(b"\r\n\r\n{}"))
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
                await reader.read()

        async with (
            proxying() as proxy,
            listening(serve, tls=tls) as url,
            using(make(only(proxy.address, user=f"me:{PASSWORD}@"))) as transport,
        ):
            await ask(transport, url if tls else url.replace("https", "http"))
        assert proxy.authorizations == [basic(f"me:{PASSWORD}")]
        assert tls is (b"roxy-" not in seen[0])

    run(scenario)


@pytest.mark.parametrize("refusal", ["407 Proxy Authentication Required", "403 No"])
def test_tunnel_the_proxy_refuses_is_a_connection_error_without_the_password(
    make: Make, refusal: str
) -> None:
    async def scenario() -> None:
        async with (
            proxying(refusal) as proxy,
            using(make(only(proxy.address, user=f"me:{PASSWORD}@"))) as transport,
        ):
            with pytest.raises(
                errors.LMConnectionError, match=f"refused with status {refusal[:3]}"
            ) as caught:
                await ask(transport, "https://model.invalid/")
        assert proxy.address in str(caught.value)
        assert not caught.value.was_sent
        shown = "".join(traceback.format_exception(caught.value))
        assert PASSWORD not in shown
        assert basic(f"me:{PASSWORD}") not in shown

    run(scenario)


def test_proxy_that_is_down_is_a_connection_error_that_names_it(make: Make) -> None:
    async def scenario() -> None:
        async with proxying() as proxy:
            pass
        proxies = only(proxy.address, user=f"me:{PASSWORD}@")
        async with using(make(proxies)) as transport:
            with pytest.raises(
                errors.LMConnectionError, match=f"the proxy {proxy.address}"
            ) as caught:
                await ask(transport, "https://model.invalid/")
        assert not caught.value.was_sent
        assert PASSWORD not in repr(caught.value.__cause__)

    run(scenario)


def test_proxy_that_never_opens_the_tunnel_is_a_timeout(make: Make) -> None:
    async def scenario() -> None:
        server = Server()
        async with (
            listening(server.hang, tls=False) as url,
            using(make(Proxies.only(url.replace("https", "http")))) as transport,
        ):
            with pytest.raises(
                errors.LMTimeoutError, match=r"within 0\.05 s"
            ) as caught:
                await ask(transport, "https://model.invalid/", connect_timeout=0.05)
            assert not caught.value.was_sent
            await server.gone.wait()

    run(scenario)


def test_certificate_is_checked_inside_a_tunnel_too() -> None:
    async def scenario() -> None:
        server = Server()
        async with (
            proxying() as proxy,
            listening(server.echo) as url,
            using(
                AiohttpTransport(
                    proxies=only(proxy.address, user=f"me:{PASSWORD}@"),
                    make_context=ssl.create_default_context,
                )
            ) as transport,
        ):
            with pytest.raises(
                errors.LMConnectionError, match="CERTIFICATE_VERIFY"
            ) as caught:
                await ask(transport, url)
        assert server.connections == 0
        cause = caught.value.__cause__
        assert cause is not None
        assert PASSWORD not in repr(cause) + repr(vars(cause))

    run(scenario)


def test_proxies_of_the_environment_are_not_used_for_this_machine(make: Make) -> None:
    async def scenario() -> None:
        async with proxying() as proxy, listening(plain, tls=False) as url:
            found = Proxies.from_environment({"ALL_PROXY": f"http://{proxy.address}"})
            async with using(make(found)) as transport:
                response = await ask(transport, url.replace("https", "http"))
        assert response.body == b"ok"
        assert proxy.requests == []

    run(scenario)


def test_transport_dspex_makes_uses_the_proxies_it_is_given() -> None:
    async def scenario() -> None:
        async with (
            proxying() as proxy,
            listening(plain, tls=False) as url,
            using(make_transport(proxies=only(proxy.address))) as transport,
        ):
            http_url = url.replace("https", "http")
            request = HttpRequest(method="POST", url=http_url, body=b"{}")
            await transport.send(request, connect_timeout=9, read_timeout=9)
        assert len(proxy.requests) == 1

    run(scenario)
