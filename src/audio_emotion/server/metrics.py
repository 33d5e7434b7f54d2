"""Counts and times for Prometheus; nothing in them tells recordings or people apart."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


class Metrics:
    """What one service has counted; each service has a registry of its own."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()

        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(name, text, labels, registry=registry)

        def histogram(name: str, text: str, *labels: str) -> Histogram:
            return Histogram(name, text, labels, registry=registry, buckets=SECONDS)

        self.requests = counter("http_requests", "Requests", "method", "route", "status")
        self.request_seconds = histogram("http_request_duration_seconds", "Of requests", "route")
        self.queue_depth = Gauge(
            "audio_emotion_queue_depth", "Recordings that wait or run", ["pool"], registry=registry
        )
        self.queue_seconds = histogram("audio_emotion_queue_seconds", "Waited for a worker")
        self.decode_seconds = histogram("audio_emotion_decode_seconds", "Waited for a decoder")
        self.inference_seconds = histogram("audio_emotion_inference_seconds", "Predicted")
        self.audio_seconds = counter("audio_emotion_audio_seconds", "Of recordings predicted")
        self.rejected = counter("audio_emotion_rejected", "Requests refused", "reason")
        self.predictions = counter("audio_emotion_predictions", "Predictions", "label", "confident")
        self.sessions = Gauge(
            "audio_emotion_sessions", "WebSocket sessions that are open", registry=registry
        )

    def text(self) -> bytes:
        """Return everything in Prometheus' text format."""
        return generate_latest(self.registry)
