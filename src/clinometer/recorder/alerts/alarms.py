"""A recorder's alerts: they see each measured step, and what they say is kept, said, and acted on."""

import json
import logging
from collections.abc import Mapping, Sequence
from typing import Any

from clinometer.objective.distributed import Ranks
from clinometer.objective.interruptions import is_interruption
from clinometer.probes.field import Fields
from clinometer.recorder.alerts.actions import StopTraining, lower_lr
from clinometer.recorder.alerts.alarm import Alarm
from clinometer.recorder.alerts.alarm_rows import FIELDS, ROWS, alarms_in, as_row
from clinometer.recorder.alerts.base import Alert
from clinometer.recorder.notices import warn
from clinometer.store import Row, Store

_LOG = logging.getLogger("clinometer")
_BYTES = 6  # of text in one number that ranks exchange, which is exact up to 2^53


class Alarms:
    """The part of a recorder that holds its alerts.

    Of several ranks the first one judges, and all of them act on what it says.

    Args:
        alerts: As `check_alerts` let pass; it works on alerts of its own with the same settings.
        ranks: The processes that measure together.
        optimizers: Those whose rates may be lowered.
    """

    def __init__(self, alerts: Sequence[Alert], ranks: Ranks, optimizers: Sequence[Any]) -> None:
        self.alerts = {alert.name: alert.fresh() for alert in alerts}
        self._thens = {alert.name: _bound(alert.then, optimizers) for alert in alerts if alert.then}
        self._ranks = ranks
        self._new: list[Alarm] = []  # said at the last measured step, and not acted on

    @property
    def fields(self) -> dict[str, Fields]:
        """The declarations of the rows that alarms are kept in."""
        return {ROWS: FIELDS} if self.alerts else {}

    def judge(self, step: int, rows: Mapping[str, Row]) -> dict[str, Row]:
        """Let the alerts see what was measured at a step; the row of what they say, if there is any."""
        self._new.clear()
        if self._ranks.is_first:
            self._new += [alarm for alert in self.alerts.values() if (alarm := alert.see(step, rows))]
        if self._ranks.size > 1:
            self._new = _of_the_first(self._ranks, self._new)
        return {ROWS: as_row(self._new)} if self._new else {}

    def act(self) -> None:
        """Say the alarms of the last step, and do what was asked for at each of them.

        Raises:
            StopTraining: if that was asked for, once all else is done.
        """
        said, self._new = self._new, []
        stop: StopTraining | None = None
        for alarm in said:
            if self._ranks.is_first:
                _LOG.warning("%s", alarm)  # not by `warnings`: turned into an error, one would end the run
        for alarm in said:
            try:
                if then := self._thens.get(alarm.alert):
                    then(alarm)
            except StopTraining as asked:
                stop = stop or asked
            except Exception as error:
                if is_interruption(error):
                    raise
                warn(f"what should be done at an alarm failed ({type(error).__name__}: {error}). Training goes on.")
        if stop:
            raise stop

    def lines(self, store: Store) -> list[str]:
        """For the summary: how many alarms there were, and which alerts cannot judge yet."""
        said = alarms_in(store) if self.alerts else []
        last = [f"alarms: {len(said)}, the last at step {said[-1].step} ({said[-1].alert})"] if said else []
        return last + [
            f"alert {name!r}: not yet, it needs {alert.waits_for} more readings of {', '.join(alert.quantities)}"
            for name, alert in self.alerts.items()
            if alert.waits_for
        ]

    def state_dict(self) -> dict[str, Any]:
        """What the alerts remember of the run, in JSON."""
        return {name: alert.state_dict() for name, alert in self.alerts.items()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on with what the alerts of the same names remembered."""
        self._new.clear()
        for name, alert in self.alerts.items():
            alert.reset()
            if name in state:
                alert.load_state_dict(state[name])


def _bound(then: Any, optimizers: Sequence[Any]) -> Any:
    return then.on(optimizers) if isinstance(then, lower_lr) else then


def _of_the_first(ranks: Ranks, alarms: Sequence[Alarm]) -> list[Alarm]:
    """The alarms of the first rank, on all of them."""
    text = json.dumps([alarm.as_dict() for alarm in alarms]).encode() if alarms else b""
    length = ranks.broadcast(len(text))
    text = text.ljust(length)[:length]
    parts = [ranks.broadcast(int.from_bytes(text[at : at + _BYTES])) for at in range(0, length, _BYTES)]
    sizes = [min(_BYTES, length - at) for at in range(0, length, _BYTES)]
    found = b"".join(part.to_bytes(size) for part, size in zip(parts, sizes, strict=True))
    return [Alarm.from_dict(fields) for fields in json.loads(found)] if found else []
