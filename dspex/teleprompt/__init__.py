"""Optimisers: from a program and examples to a better program."""

from dspex.teleprompt.bootstrap_few_shot import BootstrapFewShot
from dspex.teleprompt.bootstrap_result import BootstrapResult, NotNeeded
from dspex.teleprompt.candidate import Candidate
from dspex.teleprompt.copro import COPRO
from dspex.teleprompt.ensemble import Ensemble
from dspex.teleprompt.gepa import GEPA
from dspex.teleprompt.knn_few_shot import KNNFewShot
from dspex.teleprompt.labeled_few_shot import LabeledFewShot
from dspex.teleprompt.lift import Lift
from dspex.teleprompt.mipro_v2 import MIPROv2
from dspex.teleprompt.plan import StudyPlan
from dspex.teleprompt.random_search import (
    BootstrapFewShotWithRandomSearch,
    BootstrapRS,
)
from dspex.teleprompt.recorded_study import load_study
from dspex.teleprompt.study_result import StudyResult
from dspex.teleprompt.teleprompter import Teleprompter

__all__ = [
    "COPRO",
    "GEPA",
    "BootstrapFewShot",
    "BootstrapFewShotWithRandomSearch",
    "BootstrapRS",
    "BootstrapResult",
    "Candidate",
    "Ensemble",
    "KNNFewShot",
    "LabeledFewShot",
    "Lift",
    "MIPROv2",
    "NotNeeded",
    "StudyPlan",
    "StudyResult",
    "Teleprompter",
    "load_study",
]
