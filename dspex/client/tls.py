"""Whom to trust: one TLS context per process, shared by every transport."""

from __future__ import annotations

import functools
import os
import ssl
from collections.abc import Mapping

from dspex.core.errors import ConfigurationError

__all__ = ["shared_context"]


def shared_context(environ: Mapping[str, str] = os.environ) -> ssl.SSLContext:
    """Return the process's context; making it takes 25 ms once.

    It trusts the certificates that httpx brings along (certifi's), or those named by
    `SSL_CERT_FILE` or `SSL_CERT_DIR`. Other values of the two give another context.

    Raises:
        ConfigurationError: When what the variables name cannot be read.
    """
    return _context(environ.get("SSL_CERT_FILE"), environ.get("SSL_CERT_DIR"))


@functools.lru_cache(maxsize=8)
def _context(file: str | None, folder: str | None) -> ssl.SSLContext:
    try:
        if file:
            context = ssl.create_default_context(cafile=file)
        elif folder:
            context = ssl.create_default_context(capath=folder)
        else:
            # Loaded here: it takes its time, and plain HTTP does without.
            import httpx

            context = httpx.create_ssl_context(trust_env=False)
    except OSError as error:
        raise ConfigurationError(
            f"the certificates to trust cannot be read: {error}; expected a PEM file in"
            " SSL_CERT_FILE, or a folder of them in SSL_CERT_DIR. Correct or unset the"
            " variable."
        ) from error
    context.set_alpn_protocols(["http/1.1"])
    return context
