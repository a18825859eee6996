"""OTP's supervision for Pykka: actors that are watched, restarted and always answer.

Start at `Supervisor` and `ChildSpec`; write your parts as `Actor`. Nothing here knows
language models: the package is useful to any Pykka program.
"""

from supervisors._effects import ChildCounts, ChildState, ChildStatus
from supervisors._future import ReplyFuture
from supervisors._life import ReplyToken
from supervisors.actor import NO_REPLY, Actor, Ignore, Refuse, Stop, Surroundings
from supervisors.backoff import Backoff
from supervisors.child_spec import ChildSpec, Intensity, Restart, Strategy
from supervisors.clock import SYSTEM_CLOCK, Clock, SystemClock
from supervisors.dynamic import DynamicSupervisorActor
from supervisors.errors import (
    ActorDownError,
    CallTimeoutError,
    ChildNotFoundError,
    ChildStateError,
    ConfigError,
    RestartLimitError,
    ScopeCancelledError,
    SelfCallError,
    StartError,
    SupervisorError,
)
from supervisors.estate import Estate
from supervisors.events import Event, Events
from supervisors.exits import (
    Crashed,
    ExitReason,
    Failed,
    Hung,
    Killed,
    NoProcess,
    Normal,
    Shutdown,
)
from supervisors.handle import Handle
from supervisors.loop_actor import LoopActor
from supervisors.process import ProcessActor, ProcessSpec
from supervisors.ref import Ref
from supervisors.registry import Registry
from supervisors.scope import Scope, current_scope, within
from supervisors.supervisor import Supervisor
from supervisors.supervisor_actor import SupervisorActor
from supervisors.tasks import Task, TaskActor, TaskSupervisor
from supervisors.tree import TreeNode, draw, snapshot

__all__ = [
    "NO_REPLY",
    "SYSTEM_CLOCK",
    "Actor",
    "ActorDownError",
    "Backoff",
    "CallTimeoutError",
    "ChildCounts",
    "ChildNotFoundError",
    "ChildSpec",
    "ChildState",
    "ChildStateError",
    "ChildStatus",
    "Clock",
    "ConfigError",
    "Crashed",
    "DynamicSupervisorActor",
    "Estate",
    "Event",
    "Events",
    "ExitReason",
    "Failed",
    "Handle",
    "Hung",
    "Ignore",
    "Intensity",
    "Killed",
    "LoopActor",
    "NoProcess",
    "Normal",
    "ProcessActor",
    "ProcessSpec",
    "Ref",
    "Refuse",
    "Registry",
    "ReplyFuture",
    "ReplyToken",
    "Restart",
    "RestartLimitError",
    "Scope",
    "ScopeCancelledError",
    "SelfCallError",
    "Shutdown",
    "StartError",
    "Stop",
    "Strategy",
    "Supervisor",
    "SupervisorActor",
    "SupervisorError",
    "Surroundings",
    "SystemClock",
    "Task",
    "TaskActor",
    "TaskSupervisor",
    "TreeNode",
    "current_scope",
    "draw",
    "snapshot",
    "within",
]
