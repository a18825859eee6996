"""The branch of the tree in which the requests of services run.

```
dspex
└─ services      one_for_one, begun with the first service
   ├─ loop       an event loop, for programs that are awaited
   └─ requests   a task for each request that is worked on
```

The sockets of a service are not in here: whatever is killed, nobody is hung up on.
"""

from __future__ import annotations

import contextlib
import dataclasses

from dspex.core import defaults
from dspex.runtime import tree
from dspex.runtime.config import Config
from dspex.runtime.runtime import Runtime
from supervisors import (
    ChildSpec,
    ChildStateError,
    EventLoopActor,
    Ref,
    Registry,
    SupervisorActor,
    TaskSupervisor,
)

SERVICES = "services"
REQUESTS = "services.requests"
LOOP = "services.loop"

LOOP_HANGS_AFTER = 10.0
"""Seconds the loop may stand still before another takes its place."""
BACK_WITHIN = 10.0
"""Seconds a part of the branch may take to be started, or started again."""
_GRACE = 1.0
"""Seconds a request's program may take to end by itself when the branch is stopped."""

_MAX_ZOMBIES = defaults.SERVE_IN_FLIGHT
"""Programs that were given up and whose threads go on; then none is begun any more. All
clients may leave at once, so it is as many as there are."""


def services_branch(config: Config) -> ChildSpec:
    """The supervisor of what services run."""
    loop = ChildSpec(
        id="loop",
        actor=EventLoopActor,
        name=LOOP,
        hang_after=LOOP_HANGS_AFTER,
        shutdown=_GRACE,
    )
    requests = TaskSupervisor.child_spec(
        "requests", name=REQUESTS, task_shutdown=_GRACE
    )
    kwargs = {**requests.kwargs, "max_zombies": _MAX_ZOMBIES}
    requests = dataclasses.replace(requests, kwargs=kwargs)
    return ChildSpec(
        id=SERVICES,
        actor=SupervisorActor,
        args=((loop, requests),),
        kwargs={"intensity": tree.branch_intensity(config)},
        kind="supervisor",
        name=SERVICES,
    )


def begin_branch(runtime: Runtime) -> None:
    """Start the runtime and the branch unless they run; wait until they are there.

    It blocks: call it from a thread without an event loop.

    Raises:
        ActorDownError: The branch does not come back.
        CallTimeoutError: Not in time.
        RuntimeClosedError: The runtime has ended.
    """
    root = runtime.start()
    if root.registry.whereis(SERVICES) is None:
        # Another thread may have begun it, or the root is just starting it again.
        with contextlib.suppress(ChildStateError):
            root.start_child(services_branch(runtime.config))
    for name in (REQUESTS, LOOP):
        root.registry.await_name(name, BACK_WITHIN)


def requests_of(runtime: Runtime) -> TaskSupervisor:
    """The supervisor of the requests that run in this runtime."""
    return TaskSupervisor(runtime.start().registry, REQUESTS)


def loop_of(registry: Registry) -> Ref[EventLoopActor]:
    """The loop for programs that are awaited.

    Raises:
        ActorDownError: It is not there now.
    """
    return registry.resolve(LOOP)
