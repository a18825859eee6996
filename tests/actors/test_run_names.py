"""What a REPL shows of runs and comparisons: one line each."""

from __future__ import annotations

from pathlib import Path

import dspex


def program(n: int) -> dspex.Prediction:
    return dspex.Prediction(twice=2 * n)


def right(example: dspex.Example, prediction: dspex.Prediction) -> bool:
    return bool(prediction.twice == 2 * example.n)


def test_a_run_a_result_and_a_comparison_show_in_one_line(tmp_path: Path) -> None:
    rows = dspex.load([{"n": n} for n in range(4)], inputs=["n"])
    evaluate = dspex.Evaluate(devset=rows, metric=right, display_progress=False)

    with dspex.Runtime(dspex.Config(home=tmp_path)):
        result = evaluate(program, run="first")
        [summary] = dspex.runs()
        comparison = dspex.compare(result, dspex.load_run("first"))

    assert repr(summary) == "<RunSummary 'first': complete, 4 outcomes, 100.0>"
    assert repr(result) == "EvaluationResult(score=100.0, n=4)"
    assert repr(comparison) == f"<Comparison: {comparison.verdict}>"
    assert "\n" not in repr(comparison)


def test_a_result_knows_the_name_under_which_its_run_can_be_loaded(
    tmp_path: Path,
) -> None:
    rows = dspex.load([{"n": n} for n in range(4)], inputs=["n"])
    evaluate = dspex.Evaluate(devset=rows, metric=right, display_progress=False)

    with dspex.Runtime(dspex.Config(home=tmp_path)):
        recorded = evaluate(program)
    with dspex.Runtime(dspex.Config(persist=False)):
        kept_nowhere = evaluate(program)

    assert recorded.run is not None
    assert dspex.load_run(recorded.run, home=tmp_path).digest == recorded.digest
    assert dspex.load_run(recorded.run, home=tmp_path).run == recorded.run
    assert kept_nowhere.run is None
