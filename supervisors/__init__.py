"""OTP's supervision for Pykka: actors that are watched, restarted and always answer.

Start at `Supervisor` and `ChildSpec`; write your parts as `Actor`. Nothing here knows
language models: the package is useful to any Pykka program.
"""

from supervisors._bells import one_wakeup
from supervisors._callbacks import NO_REPLY, Ignore, Refuse, Stop
from supervisors._effects import ChildCounts, ChildState, ChildStatus
from supervisors._future import ReplyFuture
from supervisors._life import ReplyToken
from supervisors._name_news import Registered, Unregistered
from supervisors._name_table import Entry, Updated
from supervisors._zombies import TooManyZombies
from supervisors.actor import Actor
from supervisors.backoff import Backoff
from supervisors.child_spec import ChildSpec, Intensity, Restart, Strategy
from supervisors.clock import SYSTEM_CLOCK, Clock, SystemClock
from supervisors.drawing import draw
from supervisors.dynamic import (
    DynamicSupervisor,
    DynamicSupervisorActor,
    SimpleSupervisor,
    SimpleSupervisorActor,
)
from supervisors.errors import (
    ActorDownError,
    AlreadyRegisteredError,
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
from supervisors.events import Attached, Event, Events
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
from supervisors.process import ProcessActor, output_of
from supervisors.process_spec import CannotRun, NotReady, ProcessEnded, ProcessSpec
from supervisors.queued_handler import QueuedHandler
from supervisors.readiness import ReadyProbe, file_exists, http_answers, port_accepts
from supervisors.ref import Ref
from supervisors.registry import Registry
from supervisors.scope import Scope, current_scope, deadline, last_words, within
from supervisors.stock import supervised
from supervisors.supervisor import Supervisor
from supervisors.supervisor_actor import SupervisorActor, SupervisorOptions
from supervisors.surroundings import Surroundings
from supervisors.tasks import (
    Exit,
    LaneSource,
    LaneTask,
    LoopLaneSource,
    LoopLaneTask,
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
from supervisors.tree import TreeNode, Zombie, snapshot
from supervisors.waits import Wait, Waits, waits

__all__ = [
    "NO_REPLY",
    "SYSTEM_CLOCK",
    "Actor",
    "ActorDownError",
    "AlreadyRegisteredError",
    "Attached",
    "Backoff",
    "BlockingCallError",
    "CallTimeoutError",
    "CannotRun",
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
    "DynamicSupervisor",
    "DynamicSupervisorActor",
    "Entry",
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
    "LaneSource",
    "LaneTask",
    "LoopActor",
    "LoopLaneSource",
    "LoopLaneTask",
    "MailboxFullError",
    "Monitor",
    "NoProcess",
    "Normal",
    "NotReady",
    "Ok",
    "ProcessActor",
    "ProcessEnded",
    "ProcessSpec",
    "QueuedHandler",
    "ReadyProbe",
    "Ref",
    "Refuse",
    "Registered",
    "Registry",
    "ReplyFuture",
    "ReplyToken",
    "Restart",
    "RestartLimitError",
    "Scope",
    "ScopeCancelledError",
    "SelfCallError",
    "Shutdown",
    "SimpleSupervisor",
    "SimpleSupervisorActor",
    "StartError",
    "Stop",
    "Strategy",
    "StreamOptions",
    "Supervisor",
    "SupervisorActor",
    "SupervisorError",
    "SupervisorOptions",
    "Surroundings",
    "SystemClock",
    "Task",
    "TaskActor",
    "TaskOwnerError",
    "TaskStream",
    "TaskSupervisor",
    "TaskSupervisorActor",
    "TooManyZombies",
    "TreeNode",
    "Unregistered",
    "Updated",
    "Wait",
    "Waits",
    "Zombie",
    "await_many",
    "current_scope",
    "deadline",
    "draw",
    "file_exists",
    "http_answers",
    "last_words",
    "one_wakeup",
    "output_of",
    "port_accepts",
    "snapshot",
    "stream",
    "supervised",
    "waits",
    "within",
    "yield_many",
]
