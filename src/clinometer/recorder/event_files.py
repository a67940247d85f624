"""TensorBoard's event files that our sink has written: the steps that a run repeats after a crash are taken out.

TensorBoard's own way, `purge_step`, hides the numbers of every writer in the folder from that step on, and other
writers count other steps.
"""

import os
from pathlib import Path

from clinometer.extras import need

SUFFIX = ".clinometer"  # ends the names of our files


def drop_events(folder: Path, start: int, writing: Path) -> None:
    """Write our event files in a folder anew without the scalars of `start` and later steps.

    Args:
        folder: Files in it of other writers are left alone.
        start: The step.
        writing: Our file that is being written.
    """
    reader = need("tensorboard.backend.event_processing.event_file_loader", "trackers").RawEventFileLoader
    record_writer = need("tensorboard.summary.writer.record_writer", "trackers").RecordWriter
    event = need("tensorboard.compat.proto.event_pb2", "trackers").Event
    for path in sorted(folder.glob(f"events.out.tfevents.*{SUFFIX}")):
        if path.resolve() == writing.resolve():
            continue
        events = [(data, event.FromString(data)) for data in reader(str(path)).Load()]  # to where a kill tore it
        kept = [data for data, each in events if each.step < start or not each.HasField("summary")]
        if len(kept) == len(events):
            continue
        shorter = path.with_name(f"{path.name}.shorter")
        with shorter.open("wb") as file:
            writer = record_writer(file)
            for data in kept:
                writer.write(data)
            writer.flush()
        os.replace(shorter, path)  # noqa: PTH105 -- all of it or nothing
