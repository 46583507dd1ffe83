# The service, with its own speech engine and PostgreSQL's client programs. It runs as a user without rights and needs
# to write only to /data (and /tmp). Build: docker build -t transcription-proxy .
FROM python:3.11-slim-bookworm AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /build
COPY deploy/requirements.lock ./
RUN python -m venv /opt/captions && /opt/captions/bin/pip install --quiet --require-hashes --no-deps -r requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY src src
RUN /opt/captions/bin/pip install --quiet --no-deps --no-build-isolation .
RUN /opt/captions/bin/pip uninstall --quiet --yes hatchling trove-classifiers pathspec pluggy pip

FROM python:3.11-slim-bookworm
RUN useradd --uid 10001 --user-group --no-create-home --home-dir /data captions && install -d -o captions -g captions -m 700 /data
COPY --from=build /opt/captions /opt/captions
ENV PATH=/opt/captions/bin:/usr/local/bin:/usr/bin:/bin HOST=0.0.0.0 DATA_DIR=/data PYTHONDONTWRITEBYTECODE=1
USER captions
WORKDIR /data
VOLUME /data
EXPOSE 3000
HEALTHCHECK --interval=30s --timeout=25s --start-period=60s CMD ["transcription-proxy", "healthcheck"]
ENTRYPOINT ["transcription-proxy"]
CMD ["serve"]
