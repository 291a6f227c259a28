"""State is saved when MiniStack is stopped and only then: kill -9 or a crash loses every table since the start,
while S3 objects, written at once, stay. It is also lost when a table changes during the save. Here a snapshot
of what changed is taken every few seconds, the files of one snapshot are put in place together, and a service
that changes meanwhile is read again."""

import json
import os
import threading
import time
from collections.abc import Callable
from typing import Any

from ministack import app
from ministack.core import persistence
from ministack.services import stepfunctions

from patching import expect_parameters, wrap

SECONDS_BETWEEN = 2.0
# A snapshot holds the interpreter's lock: at most a twentieth of the time.
REST_PER_SECOND_OF_WORK = 20
# The waits in between add up to 1.3 seconds.
READ_ATTEMPTS = 7
# They grow with every call and are only read by people: saved at a clean stop.
ONLY_AT_STOP = {"cloudwatch", "cloudwatch_logs"}
READING = ("Get", "List", "Describe", "Query", "Scan", "BatchGet", "TransactGet", "Head", "ReceiveMessage", "Select")


class Changing(Exception):
    """A service's state could not be read as a whole."""


_changed = threading.Event()
_saving = threading.Lock()


def apply() -> None:
    expect_parameters(app._dispatch_service_request, "method", "path", "headers")
    expect_parameters(app.save_all, "services")
    wrap(app, "_dispatch_service_request", noting_change)
    wrap(stepfunctions, "_add_event", noting_any)
    wrap(app, "save_all", save)
    wrap(app, "_load_persisted_state", then_take_snapshots)


def noting_change(original: Any, method: str, path: str, headers: dict[str, str], *rest: Any) -> Any:
    action = headers.get("x-amz-target", "").rsplit(".", 1)[-1]
    if not (action.startswith(READING) if action else method in ("GET", "HEAD")):
        _changed.set()
    return original(method, path, headers, *rest)


def noting_any(original: Any, *args: Any, **kwargs: Any) -> Any:
    _changed.set()
    return original(*args, **kwargs)


def then_take_snapshots(original: Any) -> None:
    original()
    threading.Thread(target=take_snapshots, daemon=True, name="state-snapshots").start()


def take_snapshots() -> None:
    rest = SECONDS_BETWEEN
    while True:
        time.sleep(rest)
        if not _changed.is_set():
            continue
        _changed.clear()
        worked = time.thread_time()
        services = app._build_persistence_save_dict()
        try:
            write_together({name: read for name, read in services.items() if name not in ONLY_AT_STOP})
        except Changing as error:
            # All or nothing: the snapshot of last time stays, and the next one holds what changed.
            persistence.logger.info("No snapshot: %s", error)
            _changed.set()
        rest = max(SECONDS_BETWEEN, REST_PER_SECOND_OF_WORK * (time.thread_time() - worked))


def save(original: Any, services: dict[str, Callable[[], Any]]) -> None:
    """The save at a clean stop: together where possible, else all that can be read."""
    try:
        write_together(services)
    except Changing:
        for name, read in services.items():
            try:
                write_together({name: read})
            except Changing as error:
                persistence.logger.error("Not saved: %s", error)


def write_together(services: dict[str, Callable[[], Any]]) -> None:
    """Writes each service beside its file of last time, then puts all files in place."""
    if not persistence.PERSIST_STATE:
        return
    with _saving:
        states = {name: read_unchanging(name, read) for name, read in services.items()}
        os.makedirs(persistence.STATE_DIR, exist_ok=True)
        files = {
            os.path.join(persistence.STATE_DIR, f"{name}.json"): text
            for name, state in states.items()
            if (text := as_file(name, state)) is not None
        }
        for path, text in files.items():
            with open(f"{path}.new", "w") as file:
                file.write(text)
        for path in files:
            os.replace(f"{path}.new", path)


def as_file(name: str, state: Any) -> str | None:
    """None for a service that could not be loaded or holds what JSON cannot: its file stays."""
    if state is None:
        return None
    content = {"__ministack_format__": persistence._state_format_version(name), "payload": state}
    try:
        return json.dumps(content, default=persistence._json_default)
    except (TypeError, ValueError) as error:
        persistence.logger.error("Not saved: %s: %s", name, error)
        return None


def read_unchanging(name: str, read: Callable[[], Any]) -> Any:
    for attempt in range(READ_ATTEMPTS):
        try:
            return read()
        except RuntimeError:  # a dictionary changed while it was copied
            time.sleep(0.01 * 2**attempt)
    raise Changing(f"{name} changes all the time")
