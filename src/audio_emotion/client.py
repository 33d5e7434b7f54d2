"""The same answers from a service: no model, no decoder and no ONNX Runtime at work here."""

import io
import json
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Self

from .audio import Source, buffered
from .errors import (
    AudioEmotionError,
    AudioError,
    ConfigError,
    ServiceError,
    SpeakerError,
    translated,
)
from .formats.timelines import parse_json
from .inference.prediction import Prediction
from .inference.speaker import Speaker, as_speaker
from .notices import Code, Notice
from .timeline.recording import Timeline
from .timeline.settings import TimelineSettings

if TYPE_CHECKING:
    import httpx

BUSY = 503  # status of a service that wants to be asked again
MOST_WAIT_DUR = 30.0  # s between two tries, whatever the service proposes
POLL_DUR = 0.5  # s between two looks at a job
ERRORS: dict[str, type[AudioEmotionError]] = {  # raised as they are where the model is at hand
    Code.BAD_AUDIO: AudioError,
    Code.BAD_SETTING: ConfigError,
    Code.BAD_SPEAKER: SpeakerError,
}


class Client:
    """A service, used like a `Classifier`.

    Args:
        url: of the service, such as `http://127.0.0.1:8000`.
        token: that it asks for, if it does.
        timeout: seconds to wait for an answer.
        retries: tries after the first, while the service is busy.

    Raises:
        ConfigError: httpx is not installed.

    Every method raises:
        AudioError: the recording cannot be read or used.
        ConfigError: an option is out of range.
        SpeakerError: the speaker is none, or was enrolled with another model than the service's.
        ServiceError: the service refuses, fails, is still busy after all tries or is not there.

        from audio_emotion import Client

        with Client("http://127.0.0.1:8000") as client:
            print(client.file("clip.wav").label)
    """

    def __init__(
        self, url: str, *, token: str | None = None, timeout: float = 180.0, retries: int = 5
    ) -> None:
        try:
            import httpx
        except ModuleNotFoundError as error:
            raise ConfigError(
                "a client needs httpx; install it with pip install "
                "'audio-emotion-classifier[client]'"
            ) from error
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._http = httpx.Client(base_url=url, headers=headers, timeout=timeout)
        self._failures = (httpx.TransportError, httpx.InvalidURL)
        self._retries = retries
        self._models: dict[str, dict[str, Any]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def enroll(self, source: Source) -> Speaker:
        """Learn how the service's model predicts the neutral speech of one person.

        The service keeps nothing.

        Args:
            source: a recording with 3 to 60 s of normal speech: a path, the bytes of a file, or a
                binary file.
        """
        return Speaker.parse(self._post("/v1/speakers", source, {}).content, "the answer")

    def file(
        self, source: Source, *, track: int | None = None, speaker: Speaker | None = None
    ) -> Prediction:
        """Predict the emotion of a recording, as `Classifier.file`.

        Args:
            source: a path, the bytes of a file, or a binary file.
            track: number of the audio track, from 1.
            speaker: who speaks, if enrolled.
        """
        options = _options(track=track)
        found = self._post("/v1/audio/emotions", source, options, speaker).json()
        model = self.model(found["model"])
        return Prediction(
            found["probabilities"],
            found["duration"],
            model["calibration"]["threshold"],
            found["speech_dur"],
            tuple(Notice(Code(n["code"]), n["message"]) for n in found["warnings"]),
        )

    def timeline(
        self,
        source: Source,
        settings: TimelineSettings | None = None,
        *,
        track: int | None = None,
        speaker: Speaker | None = None,
        as_job: bool = False,
    ) -> Timeline:
        """Predict emotions over the time of a recording, as `timeline`.

        Args:
            source: a path, the bytes of a file, or a binary file.
            settings: the defaults if left out.
            track: number of the audio track, from 1.
            speaker: who speaks, if enrolled; jobs take none.
            as_job: whether to leave the recording with the service and ask for the result until
                it is there; for what is longer than the service answers at once.
        """
        options = _options(track=track, **(asdict(settings) if settings else {}))
        if not as_job:
            found = self._post("/v1/audio/timeline", source, options, speaker)
            return parse_json(found.content)
        address = self._post("/v1/jobs", source, options, speaker).headers["Location"]
        while self._get(address).json()["state"] in {"queued", "running"}:
            time.sleep(POLL_DUR)
        result = parse_json(self._get(f"{address}/result").content)
        self._ask(lambda: self._http.delete(address))
        return result

    def model(self, name: str) -> dict[str, Any]:
        """Return what the service says of a model: labels, scores, licence, intended use."""
        if name not in self._models:
            self._models[name] = self._get(f"/v1/models/{name}").json()
        return self._models[name]

    def _get(self, path: str) -> "httpx.Response":
        return self._ask(lambda: self._http.get(path))

    def _post(
        self, path: str, source: Source, options: dict[str, Any], speaker: Speaker | None = None
    ) -> "httpx.Response":
        source = buffered(source)
        data = {}
        if speaker is not None:
            data["speaker"] = json.dumps(as_speaker(speaker).as_dict())

        def send() -> "httpx.Response":
            with _opened(source) as file:
                files = {"file": ("recording", file)}  # its real name is nobody's business
                return self._http.post(path, files=files, data=data, params=options)

        return self._ask(send)

    def _ask(self, send: "Callable[[], httpx.Response]") -> "httpx.Response":
        """Send until the service has time, with a little chance so that clients do not march."""
        for attempt in range(self._retries + 1):
            try:
                response = send()
            except self._failures as error:
                raise ServiceError(f"{self._http.base_url}: {error}", Code.FAILED) from error
            if response.status_code != BUSY or attempt == self._retries:
                break
            proposed = response.headers.get("Retry-After", "")
            wait = float(proposed) if proposed.isdecimal() else 2.0**attempt
            time.sleep(min(wait, MOST_WAIT_DUR) * random.uniform(0.75, 1.25))
        if response.is_success:
            return response
        raise _error(response)


def _options(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _error(response: "httpx.Response") -> AudioEmotionError:
    """Return the error that a problem describes; what is no problem came from somebody else."""
    try:
        problem = response.json()
        code, detail = problem["code"], problem["detail"]
    except (ValueError, TypeError, KeyError):
        return ServiceError(f"{response.url} answers {response.status_code}", Code.FAILED)
    if code in ERRORS:
        return ERRORS[code](detail)
    proposed = response.headers.get("Retry-After", "")
    return ServiceError(
        detail,
        Code(code) if code in set(Code) else Code.FAILED,
        retry_after=int(proposed) if proposed.isdecimal() else None,
        request_id=problem.get("request_id"),
    )


@contextmanager
def _opened(source: Source) -> Iterator[BinaryIO]:
    """Yield a recording as a file at its start."""
    if isinstance(source, str | PathLike):
        with translated(AudioError, source), Path(source).open("rb") as file:
            yield file
    elif isinstance(source, bytes | bytearray | memoryview):
        yield io.BytesIO(source)
    else:
        source.seek(0)
        yield source
