"""The program of a worker: predicts the recordings it is handed, in order.

    python -m audio_emotion.batch.work.worker FD

Decoders are native code that parses whatever it is given, so a recording may end this process; its
owner then knows which.  While the model predicts one recording, a thread reads and decodes the
next.  Messages are JSON; none is unpickled.

    first   the job                                then {"ready": true}, or {"failed": why}
    then    a row of the plan                      sha256, rows         the answer
                                                   sha256, rows of one error
                                                   left: why it cannot be reached
"""

import json
import os
import queue
import resource
import sys
import threading
from collections.abc import Callable, Iterable
from contextlib import ExitStack, suppress
from functools import lru_cache
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, TypeVar

from ...audio import store_audio
from ...errors import AudioEmotionError, ConfigError, ModelError
from ...inference.classifier import Classifier
from ...inference.speaker import Speaker
from ...notices import Code
from ...timeline.recording import timelines_of_file
from ..job import Job
from ..rows import of_error, of_prediction, of_timeline
from .content import TransientError, opened

Row = dict[str, Any]
Rest = Callable[[], Row]  # what remains to be done for a recording that was read
AHEAD = 1  # recordings that are read while another is predicted
T = TypeVar("T")


def main() -> None:
    """Answer requests until the other end goes away."""
    channel = Connection(int(sys.argv[1]))
    with suppress(EOFError, OSError):
        job = Job.from_json(channel.recv_bytes())
        try:
            classifier = Classifier(job.model_path, threads=1)
        except AudioEmotionError as error:
            _send(channel, {"failed": str(error)})
            return
        _ = classifier.digest  # read once, for all speakers
        _limit(job.memory)
        _send(channel, {"ready": True})
        _serve(channel, job, classifier)


def _serve(channel: Connection, job: Job, classifier: Classifier) -> None:
    ready: queue.Queue[Rest | None] = queue.Queue(AHEAD)

    def read() -> None:
        with suppress(EOFError, OSError):
            while True:
                ready.put(begin(job, classifier, json.loads(channel.recv_bytes())))
        ready.put(None)

    threading.Thread(target=read, daemon=True).start()
    while rest := ready.get():
        _send(channel, rest())


def begin(job: Job, classifier: Classifier, item: dict[str, Any]) -> Rest:
    """Read a recording, and return what remains: to predict it and to close it."""
    closing = ExitStack()
    facts: Row = {"sha256": None}

    def read() -> Callable[[], Iterable[Row]]:
        own = of_speaker(job, classifier, item)
        file, facts["sha256"] = closing.enter_context(opened(item))
        if job.task == "timeline":
            return lambda: of_timeline(next(timelines_of_file(file, own)))
        signal, notices = store_audio(file, classifier.sampling_rate, max_dur=job.max_dur)
        return lambda: of_prediction(own.stored(signal), notices)

    predict, problem = _guarded(read)

    def rest() -> Row:
        with closing:
            rows, failed = _guarded(lambda: list(predict())) if predict else (None, problem)
        return {**facts, **(failed or {"rows": rows})}

    return rest


def of_speaker(job: Job, classifier: Classifier, item: dict[str, Any]) -> Classifier:
    """Return the classifier, adjusted to the speaker whose file a column names.

    Raises:
        SpeakerError: the file is missing or damaged, or belongs to another model.
    """
    path = item.get(job.speaker_column) if job.speaker_column else None
    return classifier.for_speaker(_speaker(str(path))) if path else classifier


@lru_cache(1024)
def _speaker(path: str) -> Speaker:
    return Speaker.load(path)


def _guarded(call: Callable[[], T]) -> tuple[T | None, Row | None]:
    """Return what a call returns, or the answer for the error that it raises."""
    try:
        return call(), None
    except (TransientError, ConfigError) as error:
        return None, {"left": str(error)}
    except MemoryError:
        os._exit(1)  # the other recording may have taken it; alone, each of them shows
    except AudioEmotionError as error:
        if isinstance(error, ModelError) and error.__cause__:
            os._exit(1)  # ONNX Runtime has errors of its own for that
        code, message = error.code, str(error)
    except Exception as error:
        code, message = Code.FAILED, f"{type(error).__name__}: {error}"
    return None, {"rows": [of_error(code, message)]}


def _send(channel: Connection, answer: Row) -> None:
    channel.send_bytes(json.dumps(answer).encode())


def _limit(memory: int) -> None:
    """Allow `memory` bytes beside those in use, and no dump of a crash."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    statm = Path("/proc/self/statm")
    if statm.exists():
        most = int(statm.read_text().split()[0]) * resource.getpagesize() + memory
        resource.setrlimit(resource.RLIMIT_AS, (most, most))


if __name__ == "__main__":
    main()
    os._exit(0)  # libraries have nothing worth tidying
