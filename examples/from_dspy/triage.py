"""Sorts a shop's mail, learns from examples how, and keeps what it has learnt."""

import tempfile
from enum import Enum
from pathlib import Path
from typing import Any, Literal, Optional

import pydantic

import dspex
from dspex import BootstrapFewShot


class Mood(Enum):
    """How the customer sounds."""

    CALM = "calm"
    ANGRY = "angry"


class Order(pydantic.BaseModel):
    """An order that a mail speaks of."""

    number: str
    items: list[str] = []


class Triage(dspex.Signature):
    """Sort a customer's mail so that the right team can answer it."""

    mail: str = dspex.InputField()
    team: Literal["orders", "billing", "returns"] = dspex.OutputField()
    mood: Mood = dspex.OutputField()
    order: Optional[Order] = dspex.OutputField(desc="null if the mail names none")


class MailDesk(dspex.Module):
    """Sorts a mail and drafts the first sentence of the answer."""

    def __init__(self) -> None:
        super().__init__()
        self.triage = dspex.ChainOfThought(Triage)
        self.draft = dspex.Predict("mail, team -> first_sentence")

    def forward(self, mail: str) -> dspex.Prediction:
        """Handle one mail."""
        found = self.triage(mail=mail)
        draft = self.draft(mail=mail, team=found.team)
        return dspex.Prediction(
            team=found.team,
            mood=found.mood,
            order=found.order,
            first_sentence=draft.first_sentence,
        )


def right_team(
    example: dspex.Example, prediction: dspex.Prediction, trace: Any = None
) -> bool:
    """Say whether the mail reaches those who can answer it."""
    return bool(example.team == prediction.team)


def mail(text: str, team: str) -> dspex.Example:
    """Make one example."""
    return dspex.Example(mail=text, team=team).with_inputs("mail")


TRAIN = [
    mail("Parcel 17 never arrived!", "orders"),
    mail("You charged me twice in May.", "billing"),
    mail("The boots of order 23 are too small.", "returns"),
]
DEV = [
    mail("Where is my parcel 99?", "orders"),
    mail("My card was charged for a lamp I sent back.", "billing"),
]


def main() -> dict[str, Any]:
    """Score, compile, save, load, and score again."""
    desk = MailDesk()
    evaluate = dspex.Evaluate(devset=DEV, metric=right_team, num_threads=1)
    optimizer = BootstrapFewShot(
        metric=right_team, max_bootstrapped_demos=2, max_labeled_demos=2
    )
    compiled = optimizer.compile(desk, trainset=TRAIN)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "desk.json"
        compiled.save(path)
        again = MailDesk()
        again.load(path)
    sorted_mail = again(mail=TRAIN[0].mail)
    return {
        "before": evaluate(desk).score,
        "after": evaluate(again).score,
        "demos": {name: len(p.demos) for name, p in again.named_predictors()},
        "shown": [demo["mail"] for demo in again.triage.predict.demos],
        "mood": sorted_mail.mood.value,
        "order": sorted_mail.order.number if sorted_mail.order else None,
        "first_sentence": sorted_mail.first_sentence,
    }


if __name__ == "__main__":
    dspex.settings.configure(lm=dspex.LM("openai/gpt-4o-mini"))
    print(main())
