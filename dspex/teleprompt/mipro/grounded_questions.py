"""What `GroundedProposer` asks a model; the words are ours, the fields DSPy's."""

from __future__ import annotations

from dspex.core.signature import InputField, OutputField, Signature


class DescribeData(Signature):
    """Say what holds for most of these examples.

    Look at what they are about, how long and how strictly formed they are, and what
    somebody who collected them wants to be done.
    """

    examples: str = InputField(desc="Some examples of a data set")
    observations: str = OutputField(desc="What holds for most of them")


class DescribeMoreData(Signature):
    """Say what else holds for most of these examples.

    You are shown what was noticed already. When there is nothing to add, answer with
    the one word COMPLETE.
    """

    examples: str = InputField(desc="More examples of the same data set")
    prior_observations: str = InputField(desc="What was noticed already")
    observations: str = OutputField(desc="What is new, or COMPLETE")


class SummarizeData(Signature):
    """Sum up in two or three sentences what matters most about a data set."""

    observations: str = InputField(desc="What was noticed about the data")
    summary: str = OutputField(desc="Two or three sentences")


class DescribeProgram(Signature):
    """Say what a program is for, and how it goes about it."""

    program_code: str = InputField(desc="The program, which asks language models")
    program_example: str = InputField(desc="Examples of what it does")
    program_description: str = OutputField(desc="What it is for, and how it does it")


class DescribeModule(Signature):
    """Say what one part of a program is for."""

    program_code: str = InputField(desc="The program, which asks language models")
    program_example: str = InputField(desc="Examples of what it does")
    program_description: str = InputField(desc="What the program is for")
    module: str = InputField(desc="The part in question")
    module_description: str = OutputField(desc="What that part is for")


class ProposeGrounded(Signature):
    """Write the instruction with which a language model does its task best."""

    dataset_description: str = InputField(desc="What the data is like")
    program_code: str = InputField(desc="The program the task is a part of")
    program_description: str = InputField(desc="What the program is for")
    module: str = InputField(desc="The part of the program that gets the instruction")
    module_description: str = InputField(desc="What that part is for")
    task_demos: str = InputField(desc="Examples of the task")
    basic_instruction: str = InputField(desc="The instruction as it is now")
    tip: str = InputField(desc="How to go about it")
    proposed_instruction: str = OutputField(desc="The instruction you propose")
