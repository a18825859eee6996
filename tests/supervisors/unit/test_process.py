"""How an ended process is told of, and what its spec shows."""

from __future__ import annotations

import io

import pytest

from supervisors import ProcessSpec
from supervisors import process as module
from supervisors.process import ProcessEnded, _close, _lines


@pytest.mark.parametrize(
    ("ended", "text"),
    [
        (ProcessEnded(3, ()), "its process ended with exit code 3"),
        (ProcessEnded(-9, ()), "its process ended by signal 9"),
        (
            ProcessEnded(1, ("first", "last", "  ")),
            "its process ended with exit code 1, last saying: last",
        ),
    ],
)
def test_the_end_of_a_process_in_words(ended: ProcessEnded, text: str) -> None:
    assert str(ended) == text


def test_the_environment_is_not_in_the_repr() -> None:
    spec = ProcessSpec(argv=("x",), ready=str, env={"API_KEY": "s3cret"})

    assert "s3cret" not in repr(spec)
    assert "API_KEY" not in repr(spec)


def test_lines_are_cut_when_too_long_and_never_fail_to_decode(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "LONGEST_LINE", 4)
    stream = io.BytesIO(b"abcdef\r\n\xff\nend")

    assert list(_lines(stream)) == ["abcd", "ef", "�", "end"]
    assert stream.closed
    assert list(_lines(None)) == []


def test_closing_a_pipe_whose_other_end_is_gone_is_no_error() -> None:
    class Broken(io.BytesIO):
        def close(self) -> None:
            super().close()
            raise BrokenPipeError

    _close(Broken())
    _close(None)
