"""Books a table: an agent with tools that tells what it does while it does it."""

import asyncio
from typing import Any

import dspy as d
from dspy.streaming import StatusMessage, StatusMessageProvider
from dspy.utils.callback import BaseCallback

TABLES = {"19:00": 2, "20:00": 6, "21:30": 4}
BOOKED: list[str] = []


def free_tables(people: int) -> list[str]:
    """List the times at which a table for so many people is free."""
    return [time for time, seats in TABLES.items() if seats >= people]


async def book(time: str, people: int, name: str) -> str:
    """Book a table; gives back the number of the booking."""
    if time not in free_tables(people):
        raise ValueError(f"no table for {people} at {time}")
    BOOKED.append(f"{time} {name} ({people})")
    return f"booking {len(BOOKED)}"


class Request(d.Signature):
    """Book what the guest asks for, at the nearest time that is free."""

    request: str = d.InputField()
    confirmation: str = d.OutputField(desc="one friendly sentence with the time")
    booking: int = d.OutputField(desc="the number of the booking")


class Log(BaseCallback):
    """Remembers which tools were called, and how each call ended."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def on_tool_start(self, call_id: str, instance: Any, inputs: Any) -> None:
        """Note the name of a tool that is about to run."""
        self.lines.append(str(instance.name))

    def on_tool_end(self, call_id: str, outputs: Any, exception: Any = None) -> None:
        """Note how it ended."""
        self.lines.append(type(exception).__name__ if exception else "done")


class Waiter(StatusMessageProvider):
    """Tells the guest what is going on."""

    def tool_start_status_message(self, instance: Any, inputs: Any) -> str:
        """Say which tool is at work."""
        return f"one moment: {instance.name}"


async def answer(request: str) -> dict[str, Any]:
    """Let the agent handle one request."""
    log = Log()
    agent = d.ReAct(Request, tools=[free_tables, d.Tool(book)], max_iters=5)
    told: list[str] = []
    done = d.Prediction()
    with d.context(callbacks=[log]):
        stream = d.streamify(
            agent, status_message_provider=Waiter(), is_async_program=True
        )
        async for piece in stream(request=request):
            if isinstance(piece, StatusMessage):
                told.append(piece.message)
            elif isinstance(piece, d.Prediction):
                done = piece
    trajectory: dict[str, Any] = done.trajectory
    return {
        "confirmation": done.confirmation,
        "booking": done.booking,
        "tools": [v for k, v in trajectory.items() if k.startswith("tool_name")],
        "log": log.lines,
        "told": [line for line in told if line.startswith("one moment")],
    }


def main() -> dict[str, Any]:
    """Book one table."""
    BOOKED.clear()
    found = asyncio.run(answer("A table for five at eight, please. Ada Byron."))
    return {**found, "booked": BOOKED}


if __name__ == "__main__":
    d.configure(lm=d.LM("openai/gpt-4o-mini"))
    print(main())
