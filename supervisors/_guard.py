"""The guard: runs one program and ends it when its supervisor's process dies.

Started by its path with `python -I -S`, so it must import next to nothing: a guard is
part of every start of a guarded program. It holds the reading end of a pipe, the
lifeline, whose writing end only the supervisor's process has. When that closes, by any
death, the guard ends its process group: the program's input has closed at the same
moment, then come `SIGTERM` and `SIGKILL`, each after its grace.

The program inherits the guard's three streams, so no byte of it passes through here. It
runs in the guard's process group, whose number therefore stays taken for as long as the
supervisor has not reaped the guard; a signal to the group never meets a stranger.

What happens is written to a second pipe, one line each: `refused ERRNO` or
`started PID`, then `ended RETURNCODE` (negative for a signal). When that pipe closes
without `ended`, the guard itself was killed, and the supervisor ends the group.
"""

# The modules `signal` and `threading` would double the time the guard takes to start.
import _signal  # type: ignore[import-not-found] # the part of `signal` written in C
import _thread
import os
import sys

SENT_TO_GROUPS = ("SIGHUP", "SIGINT", "SIGQUIT", "SIGTERM", "SIGUSR1", "SIGUSR2")
"""Signals that people and programs send to a whole group; they are not for the guard.
"""
IGNORED_BY_PYTHON = ("SIGPIPE", "SIGXFSZ")
"""Signals that Python ignores, and that the program must not find ignored."""


def main(
    lifeline: str,
    report: str,
    stdin_grace: str,
    term_grace: str,
    keeps_locale: str,
    *program: str,
) -> None:
    """Run `program` and end with it; never returns.

    Args:
        lifeline: The descriptor whose closing ends the program.
        report: The descriptor that is told what happens.
        stdin_grace: Seconds until `SIGTERM` after the lifeline has closed.
        term_grace: Seconds until `SIGKILL` after that.
        keeps_locale: `yes`, or `no` when `LC_CTYPE` is Python's doing: it sets that in
            an environment without a locale.
        program: The program and its arguments.
    """
    for end in (int(lifeline), int(report)):
        os.set_inheritable(end, False)  # noqa: FBT003 - it has no keywords
    reset = _ignore_signals()
    running = _thread.allocate_lock()
    running.acquire()
    graces = (float(stdin_grace), float(term_grace))
    _thread.start_new_thread(_end_with_lifeline, (int(lifeline), graces, running))
    if keeps_locale == "no":
        os.environ.pop("LC_CTYPE", None)
    try:
        pid = os.posix_spawnp(program[0], program, os.environ, setsigdef=reset)
    except OSError as error:
        _say(int(report), f"refused {error.errno}")
        os._exit(1)
    _say(int(report), f"started {pid}")
    # The ends of these pipes are the program's alone from here on.
    for stream in (0, 1, 2):
        os.close(stream)
    status = os.waitpid(pid, 0)[1]
    _say(int(report), f"ended {os.waitstatus_to_exitcode(status)}")
    # Nothing of the program stays, and the guard is part of its group.
    os.killpg(0, _signal.SIGKILL)


def _ignore_signals() -> list[int]:
    """Ignore what is meant for the group; what the program must get back."""
    # Where it is ignored, nobody can wait for a child.
    _signal.signal(_signal.SIGCHLD, _signal.SIG_DFL)
    reset = [getattr(_signal, name) for name in IGNORED_BY_PYTHON]
    for name in SENT_TO_GROUPS:
        number = getattr(_signal, name)
        before = _signal.signal(number, _signal.SIG_IGN)
        if before != _signal.SIG_IGN:
            reset.append(number)
    return reset


def _end_with_lifeline(
    lifeline: int, graces: tuple[float, float], running: _thread.LockType
) -> None:
    """Wait until the lifeline closes, then end the group; runs on its own thread."""
    while os.read(lifeline, 1):
        pass
    for grace, number in zip(graces, (_signal.SIGTERM, _signal.SIGKILL), strict=True):
        # Nobody lets go of this lock: waiting for it is how this thread sleeps. The
        # main thread ends the process, and this one with it, as soon as it can.
        running.acquire(timeout=grace)
        os.killpg(0, number)


def _say(report: int, line: str) -> None:
    try:
        os.write(report, f"{line}\n".encode())
    except OSError:
        # Nobody listens any more; the lifeline has closed too.
        return


if __name__ == "__main__":
    main(*sys.argv[1:])
