"""What becomes of a notebook: cells of Python change, and nothing else."""

from __future__ import annotations

import json
from typing import Any

import pytest

from dspex.migrate.notebook import migrate_notebook


def notebook(*sources: str, indent: int = 1) -> str:
    """Return the JSON of a notebook with these cells of code."""
    cells: list[dict[str, Any]] = [
        {"cell_type": "code", "outputs": [], "source": source.splitlines(keepends=True)}
        for source in sources
    ]
    cells.insert(0, {"cell_type": "markdown", "source": ["import dspy\n"]})
    whole = {"cells": cells, "nbformat": 4, "metadata": {"title": "Größe"}}
    return json.dumps(whole, indent=indent, ensure_ascii=False) + "\n"


def test_what_one_cell_imports_holds_in_all() -> None:
    before = notebook("d.LM\n", "import dspy as d\nimport dspy", "dspy.LM, d.LM")

    done = migrate_notebook(before)

    assert done.text == notebook(
        "d.LM\n", "import dspex as d\nimport dspex", "dspex.LM, d.LM"
    )


@pytest.mark.parametrize("indent", [1, 2, 4])
def test_the_json_keeps_its_shape(indent: int) -> None:
    done = migrate_notebook(notebook("import dspy", indent=indent))

    assert done.text == notebook("import dspex", indent=indent)


def test_a_source_that_is_one_text_stays_one() -> None:
    before = json.dumps({"cells": [{"cell_type": "code", "source": "import dspy\nx"}]})

    assert migrate_notebook(before).text == before.replace("dspy", "dspex")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("%pip install dspy\nimport dspy", "%pip install dspy\nimport dspex"),
        ("!ls\nimport dspy\n?dspy.LM", "!ls\nimport dspex\n?dspy.LM"),
        ("import dspy\nif x:\n    !ls", "import dspex\nif x:\n    !ls"),
        ("%%time\nimport dspy", "%%time\nimport dspex"),
        ("%%bash\nimport dspy )\n  x", "%%bash\nimport dspy )\n  x"),
    ],
)
def test_the_lines_of_the_notebook_itself_stay(before: str, after: str) -> None:
    assert migrate_notebook(notebook(before)).text == notebook(after)


def test_a_note_says_its_cell_and_line() -> None:
    done = migrate_notebook(notebook("import dspy", "\ndspy.ProgramOfThought"))

    assert [note.place for note in done.notes] == ["cell 3:2"]


def test_a_notebook_without_dspy_stays_byte_for_byte() -> None:
    before = '{"cells":  [{"cell_type": "code", "source": ["import os"]}]}'

    assert migrate_notebook(before).text == before


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("no json", ValueError),
        ("[]", ValueError),
        ("{}", ValueError),
        (notebook("x = ("), SyntaxError),
    ],
)
def test_what_is_no_notebook_is_an_error(text: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        migrate_notebook(text)
