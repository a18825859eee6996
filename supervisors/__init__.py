"""OTP's supervision for Pykka: actors that are watched, restarted and always answer.

Start at `Supervisor` and `ChildSpec`; write your parts as `Actor`. Nothing here knows
language models: the package is useful to any Pykka program.
"""

from supervisors._callbacks import NO_REPLY, Ignore, Refuse, Stop
from supervisors._effects import ChildCounts, ChildState, ChildStatus
from supervisors._future import ReplyFuture
from supervisors._life import ReplyToken
from supervisors.actor import Actor
from supervisors.child_spec import ChildSpec, Intensity, Restart, Strategy
from supervisors.clock import SYSTEM_CLOCK, Clock, SystemClock
from supervisors.dynamic import DynamicSupervisorActor
from supervisors.errors import (
    ActorDownError,
    BlockingCallError,
    CallTimeoutError,
    ChildNotFoundError,
    ChildStateError,
    ConfigError,
    MailboxFullError,
    RestartLimitError,
    ScopeCancelledError,
    SelfCallError,
    StartError,
    SupervisorError,
    TaskOwnerError,
)
from supervisors.estate import Estate
from supervisors.event_loop import EventLoopActor, LoopActor
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
from supervisors.monitor import Down, ExitSignal, Monitor
from supervisors.process import ProcessActor, ProcessSpec
from supervisors.ref import Ref
from supervisors.registry import Registry
from supervisors.scope import Scope, current_scope, deadline, last_words, within
from supervisors.supervisor import Supervisor
from supervisors.supervisor_actor import SupervisorActor
from supervisors.surroundings import Surroundings
from supervisors.tasks import (
    Exit,
    Ok,
    StreamOptions,
    Task,
    TaskActor,
    TaskStream,
    TaskSupervisor,
    TaskSupervisorActor,
    await_many,
    stream,
    yield_many,
)
from supervisors.tree import TreeNode, draw, snapshot

__all__ = [
    "NO_REPLY",
    "SYSTEM_CLOCK",
    "Actor",
    "ActorDownError",
    "BlockingCallError",
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
    "Down",
    "DynamicSupervisorActor",
    "Estate",
    "Event",
    "EventLoopActor",
    "Events",
    "Exit",
    "ExitReason",
    "ExitSignal",
    "Failed",
    "Handle",
    "Hung",
    "Ignore",
    "Intensity",
    "Killed",
    "LoopActor",
    "MailboxFullError",
    "Monitor",
    "NoProcess",
    "Normal",
    "Ok",
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
    "StreamOptions",
    "Supervisor",
    "SupervisorActor",
    "SupervisorError",
    "Surroundings",
    "SystemClock",
    "Task",
    "TaskActor",
    "TaskOwnerError",
    "TaskStream",
    "TaskSupervisor",
    "TaskSupervisorActor",
    "TreeNode",
    "await_many",
    "current_scope",
    "deadline",
    "draw",
    "last_words",
    "snapshot",
    "stream",
    "within",
    "yield_many",
]
