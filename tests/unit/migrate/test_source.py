"""What becomes of a program's text when dspy is replaced."""

from __future__ import annotations

import ast
import textwrap

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dspex.migrate.source import Migrated, migrate_source


def migrated(text: str) -> Migrated:
    """Change a text that is indented as the test is."""
    return migrate_source(textwrap.dedent(text).lstrip("\n"))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("import dspy\n", "import dspex\n"),
        ("import dspy, os\n", "import dspex, os\n"),
        ("import dspy as d\nd.Predict\n", "import dspex as d\nd.Predict\n"),
        ("import dspy.teleprompt\n", "import dspex\n"),
        ("from dspy import Predict\n", "from dspex import Predict\n"),
        ("from dspy import Predict as P\n", "from dspex import Predict as P\n"),
        (
            "from dspy.predict.predict import Predict\n",
            "from dspex import Predict\n",
        ),
        ("from dspy import *\n", "from dspex import *\n"),
        (
            "from dspy.utils.dummies import DummyLM\n",
            "from dspex.testing import DummyLM\n",
        ),
    ],
)
def test_an_import_leads_to_where_dspex_has_the_name(before: str, after: str) -> None:
    assert migrate_source(before) == Migrated(text=after)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("dspy.Predict('q -> a')", "dspex.Predict('q -> a')"),
        ("dspy.teleprompt.LabeledFewShot(k=3)", "dspex.LabeledFewShot(k=3)"),
        ("dspy.utils.DummyLM([])", "dspex.testing.DummyLM([])"),
        ("dspy.utils.dummies.DummyLM([])", "dspex.testing.DummyLM([])"),
        ("dspy.settings.configure(lm=lm)", "dspex.settings.configure(lm=lm)"),
        ("dspy.settings.lm.history[-1]", "dspex.settings.lm.history[-1]"),
        ("(dspy\n .Predict)", "(dspex\n .Predict)"),
        ("'ü', dspy.LM", "'ü', dspex.LM"),
        ("f'{dspy.settings.lm} of dspy.ai'", "f'{dspex.settings.lm} of dspy.ai'"),
        ("f'ü' f'{dspy.LM}' 'dspy'", "f'ü' f'{dspex.LM}' 'dspy'"),
    ],
)
def test_a_use_is_changed_and_nothing_around_it(before: str, after: str) -> None:
    done = migrate_source(f"import dspy\n\nx = {before}  # dspy.LM stays\n")

    assert done.text == f"import dspex\n\nx = {after}  # dspy.LM stays\n"
    assert done.notes == ()


def test_names_of_several_homes_are_imported_from_each() -> None:
    done = migrated(
        """
        def f():
            from dspy.utils import DummyLM, Predict as P
        """
    )

    assert done.text == (
        "def f():\n"
        "    from dspex.testing import DummyLM\n"
        "    from dspex import Predict as P\n"
    )


def test_a_long_import_of_several_homes_is_wrapped() -> None:
    names = ["BootstrapFewShot", "ChainOfThought", "LabeledFewShot", "Prediction"]
    done = migrate_source(f"from dspy import DummyLM, {', '.join(names)}, Signature\n")

    assert max(map(len, done.text.splitlines())) <= 88
    ast.parse(done.text)
    assert "from dspex import (\n    BootstrapFewShot,\n" in done.text


def test_an_import_on_one_line_with_others_stays_on_it() -> None:
    done = migrate_source("x = 1; from dspy import DummyLM, LM; y = 2\n")

    assert done.text == (
        "x = 1; from dspex.testing import DummyLM; from dspex import LM; y = 2\n"
    )


def test_an_import_over_several_lines_keeps_its_comments() -> None:
    done = migrated(
        """
        from dspy import (
            LM,  # the model
            Predict,
        )
        """
    )

    assert done.text == ("from dspex import (\n    LM,  # the model\n    Predict,\n)\n")


def test_a_module_that_is_imported_by_name_means_dspex_afterwards() -> None:
    done = migrated(
        """
        import dspy.evaluate as e
        from dspy import teleprompt, LM
        from dspy.utils import dummies
        e.Evaluate, teleprompt.LabeledFewShot, dummies.DummyLM
        """
    )

    assert done.text.splitlines() == [
        "import dspex as e",
        "import dspex as teleprompt",
        "from dspex import LM",
        "import dspex as dummies",
        "e.Evaluate, teleprompt.LabeledFewShot, dummies.testing.DummyLM",
    ]


def test_a_second_import_of_the_same_is_taken_out() -> None:
    done = migrated(
        """
        import dspy
        import dspy.teleprompt
        import dspy.evaluate; x = 1
        try:
            import dspy
        except ImportError:
            raise
        """
    )

    assert done.text.splitlines() == [
        "import dspex",
        "import dspex; x = 1",
        "try:",
        "    import dspex",
        "except ImportError:",
        "    raise",
    ]


def test_quoted_annotations_and_signatures_are_changed_and_prose_is_not() -> None:
    done = migrated(
        '''
        """How dspy.Predict is used."""
        import dspy as d
        def f(lm: "d.LM", s: list["dspy.Signature"]) -> "d.Prediction":
            "dspy.LM"
            return d.Predict("a: dspy.Example -> b: dspy.LM", "dspy.LM!")
        '''
    )

    assert done.text == textwrap.dedent(
        '''\
        """How dspy.Predict is used."""
        import dspex as d
        def f(lm: "d.LM", s: list["dspex.Signature"]) -> "d.Prediction":
            "dspy.LM"
            return d.Predict("a: dspex.Example -> b: dspex.LM", "dspy.LM!")
        '''
    )


def test_an_absent_name_is_told_with_its_line_and_what_to_write() -> None:
    done = migrated(
        """
        import dspy
        from dspy.predict import (
            Predict,
            ProgramOfThought,
        )
        rm = (dspy
              .ColBERTv2(url="http://there"))
        """
    )

    assert [(note.line, note.name) for note in done.notes] == [
        (4, "ProgramOfThought"),
        (7, "ColBERTv2"),
    ]
    assert "dspex has no ProgramOfThought: " in done.notes[0].text
    assert "dspex.ReAct" in done.notes[0].text


def test_an_unknown_name_leads_to_the_table() -> None:
    done = migrate_source("import dspy\ndspy.NoSuchThing\n")

    assert [note.name for note in done.notes] == ["NoSuchThing"]
    assert "docs/reference/dspy.md" in done.notes[0].text


def test_what_a_star_brings_is_looked_for_everywhere() -> None:
    done = migrate_source("from dspy import *\nx = ProgramOfThought('q -> a')\n")

    assert [(note.line, note.name) for note in done.notes] == [(2, "ProgramOfThought")]


def test_a_text_that_names_a_module_is_left_and_told() -> None:
    before = "import dspy\nlogging.getLogger('dspy')\npatch(target='dspy.LM.forward')\n"
    done = migrate_source(before)

    assert done.text == before.replace("import dspy", "import dspex")
    assert [note.line for note in done.notes] == [2, 3]


@pytest.mark.parametrize("use", ["reload(dspy)", "x = dspy.teleprompt"])
def test_a_module_that_is_handed_on_is_told(use: str) -> None:
    done = migrate_source(f"import dspy\n{use}\n")

    assert "dspex" in done.text.splitlines()[1]
    assert [note.line for note in done.notes] == [2]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x = dspy.LM\n",
        "import os\nprint('dspy.LM -> x')\n",
        "from . import dspy\nfrom .dspy import LM\n",
        "import dspyx\ndspyx.LM\n",
        "import dspex\ndspex.LM\n",
    ],
)
def test_a_program_that_does_not_import_dspy_stays_as_it_is(text: str) -> None:
    assert migrate_source(text) == Migrated(text=text)


def test_carriage_returns_tabs_and_form_feeds_stay() -> None:
    before = "import dspy\r\n\x0c\r\nif x:\r\n\tfrom dspy import DummyLM, LM\r\ndspy.LM"
    done = migrate_source(before)

    assert done.text == (
        "import dspex\r\n\x0c\r\nif x:\r\n\tfrom dspex.testing import DummyLM\r\n"
        "\tfrom dspex import LM\r\ndspex.LM"
    )


@pytest.mark.parametrize("text", ["import dspy\nx = (", "import dspy\0", "'\ud800'"])
def test_what_is_no_python_is_a_syntax_error(text: str) -> None:
    with pytest.raises(SyntaxError):
        migrate_source(text)


NAMES = st.sampled_from(["LM", "Predict", "DummyLM", "ProgramOfThought", "Nothing"])
MODULES = st.sampled_from(["dspy", "dspy.utils", "dspy.utils.dummies", "dspy.predict"])
FILLER = st.text(
    st.characters(codec="utf-8", exclude_characters="\r\n\0", exclude_categories=["Cc"])
)


@st.composite
def lines(draw: st.DrawFn) -> str:
    """One line of a program that uses DSPy in some way."""
    name, module, comment = draw(NAMES), draw(MODULES), draw(FILLER)
    form = draw(
        st.sampled_from(
            [
                "import {module}",
                "import {module} as m; m.{name}",
                "from {module} import {name}, LM",
                "x: 'dspy.{name}' = [{text!r}, {module}.{name}(1).y]",
                "print(f'{{dspy.{name}}}', {text!r})",
                "dspy.Predict('a -> b: dspy.{name}')",
            ]
        )
    )
    line = form.format(name=name, module=module, text=comment)
    return f"{line}  # {comment}"


@given(st.lists(lines(), min_size=1, max_size=8), st.sampled_from(["\n", "\r\n"]))
def test_the_result_is_python_that_needs_no_second_change(
    program: list[str], end: str
) -> None:
    before = end.join(["import dspy", *program, ""])

    done = migrate_source(before)

    imports = [
        node
        for node in ast.walk(ast.parse(done.text))
        if isinstance(node, ast.Import | ast.ImportFrom)
    ]
    assert imports
    assert "dspy" not in {
        name.split(".")[0]
        for node in imports
        for name in (
            [getattr(node, "module", None) or ""]
            if isinstance(node, ast.ImportFrom)
            else [alias.name for alias in node.names]
        )
    }
    assert migrate_source(done.text).text == done.text


@given(st.lists(lines(), min_size=1, max_size=8))
def test_comments_are_never_touched(program: list[str]) -> None:
    before = "\n".join(["import dspy", *program, ""])

    after = migrate_source(before).text

    def comments(text: str) -> list[str]:
        return [line.split("  # ", 1)[1] for line in text.split("\n") if "  # " in line]

    # A line that imports the same once more may go, with its comment behind it.
    assert comments(before) == comments(after)
