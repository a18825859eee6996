"""Asks the coordinator and the clients what a run waits for, and says it.

Whoever does not answer in time is named, and the rest is told all the same.
"""

from __future__ import annotations

from dspex.evaluate.running.belongings import Outlook, nothing_known
from dspex.evaluate.running.coordinator import GetOutlook
from dspex.evaluate.running.looking import facts_of
from dspex.evaluate.running.why import Explained, reasons
from dspex.evaluate.working.floor import Floor
from dspex.runtime.runtime import Runtime
from supervisors import ActorDownError, CallTimeoutError, Handle


def explained(
    run: str,
    runtime: Runtime,
    coordinator: Handle,
    floor: Floor,
    *,
    paused_at: float | None,
    timeout: float,
) -> Explained:
    """Say what each open example of a run waits for, and who did not say.

    Args:
        run: Its name.
        runtime: The tree it runs in.
        coordinator: Who hands its examples out.
        floor: Where they are worked on.
        paused_at: When it was paused by hand, on the tree's clock.
        timeout: Seconds the coordinator may take, and after it the clients.
    """
    silent: tuple[str, ...] = ()
    try:
        outlook: Outlook | None = coordinator.call(GetOutlook(), timeout=timeout)
    except (ActorDownError, CallTimeoutError):
        silent = (coordinator.name,)
        outlook = nothing_known(floor.clock.monotonic())
    if outlook is None:
        return Explained()
    survey = runtime.survey(timeout)
    facts = facts_of(
        run, floor.open_attempts(), outlook, survey.standings, paused_at=paused_at
    )
    return Explained(waiting=reasons(facts), silent=(*silent, *survey.silent))
