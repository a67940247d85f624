"""The states of a training step as the recorder follows it, and what each event does in each state.

    event        IDLE                 UNSCHEDULED          OPEN                  TAKEN
    BATCH        begin → UNSCHEDULED  join → UNSCHEDULED   join → OPEN           -
    SNAPSHOT     -                    → OPEN               -                     -
    STEP         → IDLE               → IDLE               → TAKEN               → TAKEN
    LAST_STEP    → IDLE               → IDLE               measure → IDLE        measure → IDLE
    UNREPORTED   -                    → IDLE               → TAKEN               -
    SKIPPED      -                    -                    abandon → IDLE        -
    BLOCK_END    → IDLE               → UNSCHEDULED        check → OPEN          measure → IDLE
    BLOCK_ERROR  → IDLE               → IDLE               abandon → IDLE        forget → IDLE
    CLOSE        → IDLE               → UNSCHEDULED        → OPEN                measure → IDLE
    DROP         → IDLE               → IDLE               forget → IDLE         forget → IDLE
    FAILED       → IDLE               → UNSCHEDULED        forget → UNSCHEDULED  forget → IDLE
    SKIP         → IDLE               leave → UNSCHEDULED  leave → OPEN          forget → IDLE

The recorder changes its state before it acts, so after an action that raises the next batch finds a sound state. Where
the table has "-", the recorder does not raise the event: before a BATCH in TAKEN, for instance, it raises CLOSE.
"""

from collections.abc import Mapping
from enum import IntEnum, StrEnum


class State(IntEnum):  # integers: the hash of any other enum is slow, and is taken at every batch
    """How far the training step has come."""

    IDLE = 0  # none has begun since the last one ended
    UNSCHEDULED = 1  # it has begun, and will not be measured
    OPEN = 2  # it has begun, and its start is kept; the optimizer has not stepped
    TAKEN = 3  # the optimizer has stepped; more may belong to the step


class Event(IntEnum):
    """What happens to a training step."""

    BATCH = 0  # the loop starts on a batch
    SNAPSHOT = 1  # the step is scheduled, and its start has been kept
    STEP = 2  # an optimizer stepped, and another one or the rest of the block may follow
    LAST_STEP = 3  # the last of the optimizers stepped, outside of a block
    UNREPORTED = 4  # nobody reports the optimizer's step: there is no optimizer, or not the one that trains
    SKIPPED = 5  # the step will not be taken: a scaler found infinite gradients
    BLOCK_END = 6  # the block around the step, or around one of its batches, ended
    BLOCK_ERROR = 7  # it ended with an error
    CLOSE = 8  # the next batch has come, or rows are read: nothing more belongs to a step that was taken
    DROP = 9  # the caller gives the step up
    FAILED = 10  # measuring it failed, and training goes on: the step will still be taken
    SKIP = 11  # the caller skips its last batch


class Action(StrEnum):
    """What the recorder does."""

    BEGIN = "begin"  # give the step an index and, if it is scheduled, keep its start
    JOIN = "join"  # add another batch to the step
    MEASURE = "measure"  # run the probes and write their rows
    CHECK = "check"  # that the block trained the recorder's model
    LEAVE = "leave"  # take the last batch out of the step
    FORGET = "forget"  # write no row; the step's index is used
    ABANDON = "abandon"  # write no row; the next step gets the same index


Transition = tuple[Action | None, State]

TRANSITIONS: Mapping[State, Mapping[Event, Transition]] = {
    State.IDLE: {
        Event.BATCH: (Action.BEGIN, State.UNSCHEDULED),
        Event.STEP: (None, State.IDLE),
        Event.LAST_STEP: (None, State.IDLE),
        Event.BLOCK_END: (None, State.IDLE),
        Event.BLOCK_ERROR: (None, State.IDLE),
        Event.CLOSE: (None, State.IDLE),
        Event.DROP: (None, State.IDLE),
        Event.FAILED: (None, State.IDLE),
        Event.SKIP: (None, State.IDLE),
    },
    State.UNSCHEDULED: {
        Event.BATCH: (Action.JOIN, State.UNSCHEDULED),
        Event.SNAPSHOT: (None, State.OPEN),
        Event.STEP: (None, State.IDLE),
        Event.LAST_STEP: (None, State.IDLE),
        Event.UNREPORTED: (None, State.IDLE),
        Event.BLOCK_END: (None, State.UNSCHEDULED),
        Event.BLOCK_ERROR: (None, State.IDLE),
        Event.CLOSE: (None, State.UNSCHEDULED),
        Event.DROP: (None, State.IDLE),
        Event.FAILED: (None, State.UNSCHEDULED),
        Event.SKIP: (Action.LEAVE, State.UNSCHEDULED),
    },
    State.OPEN: {
        Event.BATCH: (Action.JOIN, State.OPEN),
        Event.STEP: (None, State.TAKEN),
        Event.LAST_STEP: (Action.MEASURE, State.IDLE),
        Event.UNREPORTED: (None, State.TAKEN),
        Event.SKIPPED: (Action.ABANDON, State.IDLE),
        Event.BLOCK_END: (Action.CHECK, State.OPEN),
        Event.BLOCK_ERROR: (Action.ABANDON, State.IDLE),
        Event.CLOSE: (None, State.OPEN),
        Event.DROP: (Action.FORGET, State.IDLE),
        Event.FAILED: (Action.FORGET, State.UNSCHEDULED),
        Event.SKIP: (Action.LEAVE, State.OPEN),
    },
    State.TAKEN: {
        Event.STEP: (None, State.TAKEN),
        Event.LAST_STEP: (Action.MEASURE, State.IDLE),
        Event.BLOCK_END: (Action.MEASURE, State.IDLE),
        Event.BLOCK_ERROR: (Action.FORGET, State.IDLE),
        Event.CLOSE: (Action.MEASURE, State.IDLE),
        Event.DROP: (Action.FORGET, State.IDLE),
        Event.FAILED: (Action.FORGET, State.IDLE),
        Event.SKIP: (Action.FORGET, State.IDLE),
    },
}
