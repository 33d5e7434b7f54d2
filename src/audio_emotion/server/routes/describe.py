"""What OpenAPI says of the requests that the framework does not read itself, with examples."""

from typing import Any

from ...formats.timelines import MEDIA_TYPES

ANSWER = {
    "id": "5b0d4cbb2f3f4d1e",
    "model": "default",
    "duration": 1.5,
    "speech_dur": 1.4,
    "label": "happy",
    "confidence": 0.83,
    "confident": True,
    "runner_up": "angry",
    "probabilities": {"neutral": 0.02, "happy": 0.83, "angry": 0.08},
    "warnings": [],
}
SPEAKER = {
    "format": "audio-emotion-speaker-1",
    "model": 64 * "0",
    "speech_dur": 8.4,
    "clips": 1,
    "log_probabilities": {"neutral": -0.9, "happy": -2.1, "angry": -3.4},
}
PROBLEM = {
    "type": "/docs#bad_audio",
    "title": "The recording cannot be used",
    "status": 422,
    "detail": "the recording is not audio in any format known here",
    "code": "bad_audio",
    "request_id": "5b0d4cbb2f3f4d1e",
}
PROBLEMS = {"application/problem+json": {"example": PROBLEM}}


def _recording(options: dict[str, Any] | None = None) -> dict[str, Any]:
    """Describe a body that is a recording, or a form with one."""
    form = {
        "type": "object",
        "required": ["file"],
        "properties": {
            "file": {"type": "string", "format": "binary"},
            "options": {"type": "object", "description": "The parameters of the query, as JSON."},
            "speaker": {"type": "object", "description": "Who speaks: an answer of /v1/speakers."},
        },
    }
    binary = {"schema": {"type": "string", "format": "binary"}}
    example = {"file": "@recording.flac", **({"options": options} if options else {})}
    return {
        "required": True,
        "content": {
            "multipart/form-data": {"schema": form, "example": example},
            "audio/*": binary,
            "application/octet-stream": binary,
        },
    }


def _responses(media_types: dict[str, Any], status: str = "200") -> dict[str, Any]:
    return {
        status: {"description": "The answer", "content": media_types},
        "4XX": {"description": "The request cannot be answered", "content": PROBLEMS},
        "5XX": {"description": "The service failed or is busy", "content": PROBLEMS},
    }


EMOTIONS = {
    "requestBody": _recording({"response_format": "json"}),
    "responses": _responses({"application/json": {"example": ANSWER}, "text/csv": {}}),
}
TIMELINE = {
    "requestBody": _recording({"response_format": "vtt", "win_dur": 2.0, "min_dur": 0.5}),
    "responses": _responses({name: {} for name in MEDIA_TYPES.values()}),
}
EXPLAIN = {
    "requestBody": _recording({"response_format": "json"}),
    "responses": _responses({"application/json": {}, "image/svg+xml": {}}),
}
SPEAKERS = {
    "requestBody": _recording({"track": 1}),
    "responses": _responses({"application/json": {"example": SPEAKER}}),
}
JOB = {
    "id": "mDq0c5b5QbSx3n0L",
    "state": "running",
    "task": "timeline",
    "response_format": "json",
    "done": 120.0,
    "total": 3600.0,
    "problem": None,
}
JOBS = {
    "requestBody": _recording({"response_format": "srt"}),
    "responses": _responses({"application/json": {"example": JOB}}, "202"),
}
MODELS = {"responses": _responses({"application/json": {}})}
