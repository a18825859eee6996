"""Optimisers: from a program and examples to a better program."""

from dspex.teleprompt.bootstrap_few_shot import BootstrapFewShot
from dspex.teleprompt.bootstrap_result import BootstrapResult, NotNeeded
from dspex.teleprompt.labeled_few_shot import LabeledFewShot

__all__ = ["BootstrapFewShot", "BootstrapResult", "LabeledFewShot", "NotNeeded"]
