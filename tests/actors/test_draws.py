"""Another draw asks the model anew, once for each name."""

from __future__ import annotations

import dspex
from dspex.core.draws import another_draw
from dspex.testing import FakeProvider


def test_another_draw_is_asked_anew_and_kept_under_its_own_name() -> None:
    with FakeProvider() as provider, dspex.Runtime(dspex.Config(persist=False)):
        lm = dspex.LM("openai/fake", api_base=provider.base_url)

        lm("hi")
        lm("hi")
        with another_draw("retry 1"):
            lm("hi")
            lm("hi")
        lm("hi")

        assert len(provider.bill) == 2
