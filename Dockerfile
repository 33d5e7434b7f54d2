# The service, as a user of its own that can write nothing but /state and /tmp.
#
#     docker build -t audio-emotion .
#     docker run --read-only --tmpfs /tmp --volume state:/state --publish 8000:8000 \
#         --env AUDIO_EMOTION_TOKEN --security-opt no-new-privileges --cap-drop ALL \
#         audio-emotion --allowed-host emotions.example.org

FROM python:3.11-slim AS build
WORKDIR /build
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY LICENSES LICENSES
COPY src src
RUN python -m venv /venv \
    && /venv/bin/pip install --no-cache-dir -c constraints.txt '.[serve]'

FROM python:3.11-slim
COPY --from=build /venv /venv
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin emotion \
    && install --directory --owner emotion --mode 700 /state
USER emotion
VOLUME /state
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s \
    CMD ["/venv/bin/python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/healthz', timeout=4)"]
ENTRYPOINT ["/venv/bin/audio-emotion", "serve", "--host", "0.0.0.0", "--port", "8000", "--folder", "/state", "--json-log"]
