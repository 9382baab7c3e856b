FROM python:3.11-slim-bookworm AS build
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY archpatch archpatch
COPY rules rules
RUN python -m venv /opt/archpatch && /opt/archpatch/bin/pip install --no-cache-dir .

FROM python:3.11-slim-bookworm
COPY --from=build /opt/archpatch /opt/archpatch
USER 65532:65532
WORKDIR /work
ENTRYPOINT ["/opt/archpatch/bin/archpatch"]
