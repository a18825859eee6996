"""The local model server as a supervised child: started, watched, put to sleep.

The process is `server_program`. It is started with the branch and stays while calls
come; asleep, the actor lives on without a process until the client wakes it.
"""

from __future__ import annotations

from typing import Any

from dspex.client.messages import ServerDown, ServerUp, SleepServer, WakeServer
from supervisors import Handle, ProcessActor, ProcessSpec


class ServerActor(ProcessActor):
    """Runs the server and tells the client where it listens."""

    def __init__(self, spec: ProcessSpec, client_name: str) -> None:
        super().__init__(spec)
        self._client_name = client_name
        self._address: str | None = None

    def on_start(self) -> None:
        """Start the process; calls are parked until it is ready."""
        self._client = Handle(self.surroundings.registry, self._client_name)
        self._client.cast(ServerDown())
        super().on_start()

    def on_ready(self, value: Any) -> None:
        """Tell the client where the server listens."""
        self._address = value
        self._client.cast(ServerUp(address=value))

    def on_receive(self, message: object) -> Any:
        """Sleep and wake; the rest is about the process."""
        match message:
            case SleepServer():
                self._address = None
                self.stop_process()
            case WakeServer():
                self._wake()
            case _:
                return super().on_receive(message)
        return None

    def _wake(self) -> None:
        # Also asked by a client that was restarting when the server became ready.
        if self._address is not None:
            self._client.cast(ServerUp(address=self._address))
        else:
            self.start_process()
