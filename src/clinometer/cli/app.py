"""The commands by name, and their exit status.

A command's module is imported when the command is given, so that those which train nothing start without torch.
"""

import sys
import traceback
from collections.abc import Callable, Sequence
from typing import Annotated

from cyclopts import App, CycloptsError, Parameter

from clinometer.cli.answer import Answer, JsonOption, stdout_on_stderr
from clinometer.cli.console import print_remark
from clinometer.cli.errors import print_error, stop_text
from clinometer.cli.foreign_exits import CommandExit, exit_text, exits_raised
from clinometer.cli.interruptions import orderly_interruptions, status_of
from clinometer.runner.output import dropping_output, open_standard_files
from clinometer.store import DamagedError
from clinometer.transliteration import transliterating_output

# Name -> what `--help` says. `clinometer NAME` is the function `NAME_command` in the module `cli/NAME.py`.
COMMANDS = {
    "reproduce": (
        "Run what is missing of a paper, then decide its claims, check its theorems, draw its figures and write its "
        "page."
    ),
    "run": (
        "Run what is missing of a study of your own, then decide its claims, draw its figures and write its page.\n\n"
        "The file is a program: its model and data are imported and run. Run only files that you trust."
    ),
    "plan": (
        "Tell from a pilot's runs how many seeds and hours each open claim needs, and which are hopeless. It is only "
        "read: nothing is decided, trained or written."
    ),
    "check": (
        "Verify the theorems of a paper on random inputs, and show where the print, or a dropped hypothesis, is false."
    ),
    "status": (
        "Show how far a study is: which runs are done, which are being made and where, which failed and why. It is "
        "only read."
    ),
    "report": "Decide, draw and write again from what the folder of a study or a Recorder holds; nothing is trained.",
    "watch": "Follow a run that records, from another terminal; it is only read. Ctrl-C ends the watching.",
    "export": "Write a study's runs and rows as tables: runs.parquet, and PROBE.parquet for each probe.",
    "compare": (
        "Say whether a change helped: hold one run against another, or several against several; or compare the runs "
        "that two studies have in common."
    ),
    "merge": "Put the finished runs of one study, made in several places, into one folder.",
    "lr": (
        "Find the largest stable learning rate of a training, and the one to take, in a hundred steps that leave "
        "nothing behind. The function is imported and run."
    ),
    "explain": (
        "Explain a quantity, a probe, an alarm, a paper or one of its claims: its definition, unit and cost, and the "
        "page of the documentation on it."
    ),
    "doctor": (
        "Tell what is installed, what each extra lacks and how to get it, where data was found, and on what runs are "
        "made. Status 1 if something that is installed does not work."
    ),
    "mcp": (
        "Serve the answers of the commands that only read to a program that speaks the Model Context Protocol, on "
        "standard input and output. Nothing is trained or written."
    ),
    "list": "List the papers with their scales, or what can be reproduced of one: its figures, claims and theorems.",
}

# Whose work is what they print.
PRINTED = ("check", "compare", "doctor", "explain", "list", "lr", "plan", "status", "watch")

_INTERRUPTED = "Interrupted. What is done is kept; the same command goes on from there."

app = App(
    name="clinometer",
    help="How smooth the loss landscape is where a training run walks.",
    help_epilogue="With --json, any command prints one JSON document and nothing else to the standard output.",
    suppress_keyboard_interrupt=False,  # `main` says what an interruption costs: nothing that is done
)
for name, about in COMMANDS.items():
    app.command(f"clinometer.cli.{name}:{name}_command", name=name, help=about)


def main(words: Annotated[Sequence[str] | None, Parameter(parse=False)] = None) -> None:
    """Run a command, print what it found and exit with its status."""
    json = JsonOption.of(sys.argv[1:] if words is None else words)
    closed = open_standard_files()
    with transliterating_output(), dropping_output() as (output, _), orderly_interruptions():
        if json.given:
            with stdout_on_stderr():
                answer = answer_for_program(lambda: _run(json.words))
            output.write(f"{answer.document()}\n")
        else:
            answer = answer_of(lambda: _shown(json.words))
        if answer.error:
            print_error(answer.error)
        status = answer.status
        output.flush()
        lost = "it is closed" if "stdout" in closed else output.error
        if lost and not isinstance(lost, BrokenPipeError):  # a reader that has gone, such as `head`, has read enough
            print_error(f"not all that was printed could be written to the standard output: {lost}.")
            status = status or int(json.given or (bool(json.words) and json.words[0] in PRINTED))
    sys.exit(status)


def _run(words: Sequence[str]) -> Answer:
    """Run the command in these words."""
    answer = app(words, exit_on_error=False, result_action="return_value")
    return answer if isinstance(answer, Answer) else Answer({})  # such as help, which is printed


def _shown(words: Sequence[str]) -> Answer:
    answer = _run(words)
    answer.show()
    return answer


def answer_for_program(run: Callable[[], Answer]) -> Answer:
    """The same for a program, which cannot read a traceback: an error that nobody foresaw is an answer, too."""
    try:
        return answer_of(run)
    except Exception as error:
        traceback.print_exc()
        return Answer({}, status=1, error=f"{type(error).__name__}: {error}")


def answer_of(run: Callable[[], Answer]) -> Answer:
    """What a command found, or why it ended."""
    try:
        with exits_raised():
            return run()
    except CycloptsError as error:  # cyclopts has printed what was wrong
        return Answer({"error": " ".join(str(error).split())}, status=2)
    except (OSError, DamagedError) as error:
        return Answer({}, status=1, error=stop_text(error))
    except KeyboardInterrupt as interruption:
        print_remark(_INTERRUPTED)
        return Answer({"error": _INTERRUPTED}, status=status_of(interruption))
    except CommandExit as chosen:
        return Answer({}, status=chosen.status, error=chosen.message)
    except SystemExit as error:
        return Answer({}, status=1, error=f"{exit_text(error)}.")
