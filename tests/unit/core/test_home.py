"""Where dspex keeps its files, on each platform."""

from pathlib import Path

import pytest

from dspex.core.errors import ConfigurationError
from dspex.core.home import home, make_private_folder


@pytest.mark.parametrize(
    ("env", "platform", "expected"),
    [
        ({"HOME": "/u"}, "linux", "/u/.local/share/dspex"),
        ({"HOME": "/u", "XDG_DATA_HOME": "/d"}, "linux", "/d/dspex"),
        ({"HOME": "/u", "XDG_DATA_HOME": "d"}, "linux", "/u/.local/share/dspex"),
        ({"HOME": "/u", "XDG_DATA_HOME": ""}, "freebsd14", "/u/.local/share/dspex"),
        ({"HOME": "/u"}, "darwin", "/u/Library/Application Support/dspex"),
        ({"USERPROFILE": "/u"}, "win32", "/u/AppData/Local/dspex"),
        ({"USERPROFILE": "/u", "LOCALAPPDATA": "/l"}, "win32", "/l/dspex"),
    ],
)
def test_it_is_in_the_users_data_folder(
    env: dict[str, str], platform: str, expected: str
) -> None:
    assert home(env, platform) == Path(expected)


@pytest.mark.parametrize("platform", ["linux", "darwin", "win32"])
def test_dspex_home_wins_everywhere(platform: str) -> None:
    env = {"DSPEX_HOME": "/srv/x", "HOME": "/u", "XDG_DATA_HOME": "/d"}

    assert home(env, platform) == Path("/srv/x")


def test_a_relative_or_tilde_home_becomes_absolute() -> None:
    assert home({"DSPEX_HOME": "here"}, "linux") == Path.cwd() / "here"
    assert home({"DSPEX_HOME": "~/x"}, "linux") == Path.home() / "x"


def test_without_a_home_variable_the_users_own_is_taken() -> None:
    assert home({}, "linux") == Path.home() / ".local" / "share" / "dspex"


def test_asking_creates_nothing(tmp_path: Path) -> None:
    assert not home({"DSPEX_HOME": str(tmp_path / "new")}, "linux").exists()


def test_every_folder_that_is_made_is_for_this_user_only(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)

    make_private_folder(tmp_path / "a" / "b")

    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "a" / "b").stat().st_mode & 0o777 == 0o700
    assert tmp_path.stat().st_mode & 0o777 == 0o755


def test_a_user_whom_nobody_knows_is_told_what_to_set(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # A container that runs under any number: no HOME, and no line in /etc/passwd.
    def nobody(user: int) -> None:
        raise KeyError(user)

    monkeypatch.setattr(pytest.importorskip("pwd"), "getpwuid", nobody)
    monkeypatch.delenv("HOME", raising=False)

    with pytest.raises(ConfigurationError, match="Set DSPEX_HOME to a folder of yours"):
        home({}, "linux")
