"""What tests of supervised actors need.

A clock wound by hand and a probe; waiting until a tree has settled; assertions that
nothing is left alive and that nobody waits in a circle; faults on purpose
(`FaultPlan`); interleavings without threads (`Simulation`); and a conformance suite
for anyone's own tree (`check_tree`).
"""

from supervisors.testing.census import (
    assert_no_actor_left,
    assert_no_ask_cycle,
    living,
)
from supervisors.testing.clock import ManualClock
from supervisors.testing.conformance import (
    Checked,
    ConformanceReport,
    TreeConformance,
    check_recovery,
    check_stop,
    check_tree,
)
from supervisors.testing.faults import (
    Fault,
    FaultKind,
    FaultPlan,
    Fired,
    InjectedCrashError,
)
from supervisors.testing.probe import Probe, ProbeActor
from supervisors.testing.settling import settled
from supervisors.testing.simulated_supervisor import (
    Pretended,
    SimulatedChild,
    SimulatedSupervisor,
)
from supervisors.testing.simulation import (
    Explored,
    Process,
    Receive,
    Script,
    Simulation,
    Sleep,
    Until,
    explore,
    simulate,
)

__all__ = [
    "Checked",
    "ConformanceReport",
    "Explored",
    "Fault",
    "FaultKind",
    "FaultPlan",
    "Fired",
    "InjectedCrashError",
    "ManualClock",
    "Pretended",
    "Probe",
    "ProbeActor",
    "Process",
    "Receive",
    "Script",
    "SimulatedChild",
    "SimulatedSupervisor",
    "Simulation",
    "Sleep",
    "TreeConformance",
    "Until",
    "assert_no_actor_left",
    "assert_no_ask_cycle",
    "check_recovery",
    "check_stop",
    "check_tree",
    "explore",
    "living",
    "settled",
    "simulate",
]
