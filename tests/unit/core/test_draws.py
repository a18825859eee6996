"""Calls that are to have an answer of their own."""

from __future__ import annotations

import contextvars

from dspex.core.draws import another_draw, drawn


def test_outside_of_a_draw_settings_stay_as_they_are() -> None:
    settings = {"temperature": 1.0, "rollout_id": 3}

    assert drawn(settings) is settings


def test_draws_inside_each_other_and_a_rollout_of_the_users_own_add_up() -> None:
    with another_draw("trial 2"), another_draw("retry 1"):
        inner = drawn({"rollout_id": 3})

    assert inner == {"rollout_id": "3, trial 2, retry 1"}


def test_a_copy_of_the_context_draws_likewise() -> None:
    with another_draw("trial 2"):
        context = contextvars.copy_context()

    assert context.run(drawn, {}) == {"rollout_id": "trial 2"}
    assert drawn({}) == {}
