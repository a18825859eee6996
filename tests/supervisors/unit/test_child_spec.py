"""Child specs and intensities are checked before anything starts."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import pytest

from supervisors.actor import Actor
from supervisors.child_spec import ChildSpec, Intensity, Restart
from supervisors.errors import ConfigError


def test_a_worker_has_five_seconds_to_stop_and_a_supervisor_for_ever() -> None:
    worker = ChildSpec(id="w", actor=Actor)
    supervisor = ChildSpec(id="s", actor=Actor, kind="supervisor")

    assert worker.shutdown == 5.0
    assert supervisor.shutdown == "infinity"


def test_a_child_is_a_permanent_insignificant_worker_unless_it_says_otherwise() -> None:
    spec = ChildSpec(id="w", actor=Actor)

    assert (spec.restart, spec.kind) == (Restart.PERMANENT, "worker")
    assert spec.significant is False


@pytest.mark.parametrize("policy", [0, 0.0, 7.5, "brutal_kill", "infinity"])
def test_a_shutdown_policy_is_kept_as_given(policy: Any) -> None:
    for kind in ("worker", "supervisor"):
        spec = ChildSpec(id="w", actor=Actor, shutdown=policy, kind=kind)
        assert spec.shutdown == policy


@pytest.mark.parametrize("policy", [-1, -0.1, math.inf, math.nan, "soon", [5.0]])
def test_a_shutdown_policy_that_makes_no_sense_is_refused(policy: Any) -> None:
    with pytest.raises(ConfigError, match=r"child 'w' has shutdown=.*expected"):
        ChildSpec(id="w", actor=Actor, shutdown=policy)


def test_an_empty_id_is_refused() -> None:
    with pytest.raises(ConfigError, match="empty id"):
        ChildSpec(id="", actor=Actor)


def test_a_permanent_child_cannot_be_significant() -> None:
    with pytest.raises(ConfigError, match="significant and permanent"):
        ChildSpec(id="w", actor=Actor, significant=True)


@pytest.mark.parametrize("restart", [Restart.TRANSIENT, Restart.TEMPORARY])
def test_other_children_can_be_significant(restart: Restart) -> None:
    spec = ChildSpec(id="w", actor=Actor, restart=restart, significant=True)

    assert spec.significant


def test_a_changed_copy_is_checked_again() -> None:
    spec = ChildSpec(id="w", actor=Actor)

    with pytest.raises(ConfigError):
        dataclasses.replace(spec, significant=True)


def test_two_specs_do_not_share_their_keyword_arguments() -> None:
    first, second = ChildSpec(id="a", actor=Actor), ChildSpec(id="b", actor=Actor)

    assert first.kwargs is not second.kwargs


def test_the_default_intensity_is_erlangs() -> None:
    assert (Intensity().max_restarts, Intensity().within) == (1, 5.0)


def test_no_restarts_at_all_can_be_asked_for() -> None:
    assert Intensity(max_restarts=0).max_restarts == 0


def test_a_negative_number_of_restarts_is_refused() -> None:
    with pytest.raises(ConfigError, match="max_restarts is -1"):
        Intensity(max_restarts=-1)


@pytest.mark.parametrize("within", [0, -1.0, math.inf, math.nan])
def test_a_span_that_is_none_is_refused(within: float) -> None:
    with pytest.raises(ConfigError, match="within is"):
        Intensity(within=within)


def test_a_config_error_is_a_value_error() -> None:
    assert issubclass(ConfigError, ValueError)
