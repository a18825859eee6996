"""Optimisers: from a program and examples to a better program."""

from dspex.teleprompt.copro.copro import COPRO
from dspex.teleprompt.ensemble import Ensemble
from dspex.teleprompt.few_shot.bootstrap_few_shot import BootstrapFewShot
from dspex.teleprompt.few_shot.bootstrap_result import BootstrapResult, NotNeeded
from dspex.teleprompt.few_shot.knn_few_shot import KNNFewShot
from dspex.teleprompt.few_shot.labeled_few_shot import LabeledFewShot
from dspex.teleprompt.few_shot.random_search import (
    BootstrapFewShotWithRandomSearch,
    BootstrapRS,
)
from dspex.teleprompt.gepa.gepa import GEPA
from dspex.teleprompt.mipro.mipro_v2 import MIPROv2
from dspex.teleprompt.studies.candidate import Candidate
from dspex.teleprompt.studies.lift import Lift
from dspex.teleprompt.studies.plan import StudyPlan
from dspex.teleprompt.studies.recorded_study import load_study
from dspex.teleprompt.studies.study_result import StudyResult
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
