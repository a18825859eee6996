"""Which language model a command uses: said, configured, or the embedded one.

Never a pretended one: without a model there is an error that says how to get one.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from dspex.cli import completing
from dspex.cli.configured import read_again
from dspex.core.errors import ConfigurationError

if TYPE_CHECKING:
    from dspex.client.providers.endpoint import Endpoint
    from dspex.client.providers.model_strings import LocalModel
    from dspex.configuration.reading import Configuration
    from dspex.runtime.language_model import LM

EMBEDDED = "local/gemma-3-270m"
"""The model that the extra `demo` installs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelChoice:
    """What the command line says about the model."""

    model: str | None = None
    """The model string, or `None` when nothing was said."""
    api_base: str | None = None
    """The root of another OpenAI-compatible API."""
    api_key_env: str | None = None
    """The environment variable that holds the key."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """What the configuration has sent with each call."""
    is_default: bool = False
    """Whether only a file names the model, so that code that names another wins."""
    flags: Mapping[str, Any] = field(default_factory=dict)
    """What the command line itself says, for reading the rest again."""

    def __post_init__(self) -> None:
        if self.model is None and (self.api_base or self.api_key_env):
            raise click.UsageError(
                "--api-base and --api-key-env say where a model is reached, and no "
                "model was named. Add --model NAME."
            )

    @property
    def is_said(self) -> bool:
        """Whether a model was named for this very call."""
        return self.model is not None and not self.is_default

    def lm(self, **settings: Any) -> LM:
        """Make the model, or the embedded one when none was named.

        Raises:
            ConfigurationError: When it is not there, with the line that mends it.
        """
        from dspex.runtime.language_model import LM

        settings = {**self.settings, **settings}
        if self.model is None:
            return _embedded(settings)
        return LM(
            _model_string(self.model, self.api_base),
            api_base=self.api_base,
            api_key=self._key(),
            **settings,
        )

    def found(self, model: str) -> Endpoint | LocalModel:
        """Where a model is reached, without making anything.

        Raises:
            ConfigurationError: The string, the address or the key makes no sense.
        """
        from dspex.client.providers.model_strings import resolve

        return resolve(
            _model_string(model, self.api_base),
            api_base=self.api_base,
            api_key=self._key(),
            env=os.environ,
        )

    def _key(self) -> str | None:
        if self.api_key_env is None:
            return None
        key = os.environ.get(self.api_key_env)
        if not key:
            # The text does not repeat what was typed: it may be the key itself.
            raise ConfigurationError(
                "the environment variable that --api-key-env names is not set; it "
                "takes the name of a variable, not the key. Set the variable: "
                "export MY_KEY=..., then --api-key-env MY_KEY."
            )
        return key


def model_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options that choose a model; it gets them as `choice`."""

    @click.option(
        "--model",
        "--lm",
        "model",
        metavar="NAME",
        envvar="DSPEX_MODEL",
        show_envvar=True,
        shell_complete=completing.models,
        help="The language model, such as openai/gpt-4o-mini or local/FILE.gguf.  "
        f"[default: {EMBEDDED}, when it is installed]",
    )
    @click.option(
        "--api-base",
        metavar="URL",
        help="The root of any API that speaks OpenAI's chat format, such as "
        "http://127.0.0.1:8000/v1; --model then takes the model's name there.",
    )
    @click.option(
        "--api-key-env",
        metavar="VARIABLE",
        help="The environment variable that holds the key.  [default: the provider's "
        "own, such as OPENAI_API_KEY; none with --api-base]",
    )
    @functools.wraps(command)
    def with_choice(
        model: str | None, api_base: str | None, api_key_env: str | None, **others: Any
    ) -> Any:
        choice = _chosen(model, api_base, api_key_env)
        return command(choice=choice, **others)

    return with_choice


def _chosen(
    model: str | None, api_base: str | None, api_key_env: str | None
) -> ModelChoice:
    """Put flags above what is configured.

    Raises:
        ConfigurationError: A flag holds what is no value of its key.
        click.UsageError: An address is said, and no model anywhere.
    """
    ctx = click.get_current_context()
    is_flag = ctx.get_parameter_source("model") is ParameterSource.COMMANDLINE
    flags = {
        "model": model if is_flag else None,
        "api_base": api_base,
        "api_key_env": api_key_env,
    }
    return chosen_by(read_again(ctx, flags), flags)


def chosen_by(read: Configuration, flags: Mapping[str, Any]) -> ModelChoice:
    """Return the model of a configuration that was read with these flags above it."""
    from dspex.configuration.origin import Source

    found = read.values
    named = found["model"]
    return ModelChoice(
        flags=flags,
        model=named.value,
        api_base=found["api_base"].value,
        api_key_env=found["api_key_env"].value,
        settings=found["settings"].value,
        is_default=named.origin.source in {Source.USER, Source.PROJECT},
    )


def _embedded(settings: dict[str, Any]) -> LM:
    from dspex.runtime.language_model import LM

    try:
        return LM(EMBEDDED, **settings)
    except ConfigurationError as error:
        raise ConfigurationError(
            "no model was named with --model or DSPEX_MODEL, and the embedded one "
            f"({EMBEDDED}) cannot be used: {error}\n"
            "It comes with the extra 'demo': pip install 'dspex[demo]'. Any other "
            "model will do as well: --model openai/gpt-4o-mini, or --api-base URL "
            "--model NAME."
        ) from error


def _model_string(name: str, api_base: str | None) -> str:
    """With an address of its own, a bare name (`qwen3`, `Org/Name`) is enough."""
    if api_base is None or _has_known_prefix(name):
        return name
    return f"openai/{name}"


def _has_known_prefix(name: str) -> bool:
    from dspex.client.providers.model_strings import is_known_prefix

    prefix, slash, _rest = name.partition("/")
    return bool(slash) and is_known_prefix(prefix)
