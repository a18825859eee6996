"""One TLS context per process."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from dspex.client.tls import shared_context
from dspex.core.errors import ConfigurationError

CERTIFICATE = Path(__file__).parents[2] / "contracts" / "tls" / "certificate.pem"


def test_context_is_made_once() -> None:
    assert shared_context({}) is shared_context({"OTHER": "variable"})


def test_context_checks_certificates_and_hosts() -> None:
    context = shared_context({})

    assert context.verify_mode == ssl.CERT_REQUIRED
    assert context.check_hostname
    assert context.get_ca_certs()


def test_named_file_is_trusted_instead() -> None:
    context = shared_context({"SSL_CERT_FILE": str(CERTIFICATE)})

    assert context is not shared_context({})
    assert len(context.get_ca_certs()) == 1


def test_named_folder_is_trusted_instead(tmp_path: Path) -> None:
    context = shared_context({"SSL_CERT_DIR": str(tmp_path)})

    assert context.get_ca_certs() == []


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_file_that_cannot_be_read_is_an_error_that_names_the_variable(
    tmp_path: Path, content: str | None
) -> None:
    path = tmp_path / "authority.pem"
    if content is not None:
        path.write_text(content)

    with pytest.raises(ConfigurationError, match="SSL_CERT_FILE"):
        shared_context({"SSL_CERT_FILE": str(path)})
