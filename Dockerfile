# Wheels for a build without an index: docker buildx build --build-context wheels=FOLDER --build-arg PIP_NO_INDEX=1 .
FROM scratch AS wheels

# On the machine that builds, whatever it is: the wheels of the target are unpacked there, and nothing is emulated.
FROM --platform=$BUILDPLATFORM python:3.11-slim-bookworm AS build
ARG PIP_NO_INDEX
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore PIP_NO_CACHE_DIR=1 PIP_FIND_LINKS=/wheels
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY archpatch archpatch
COPY rules rules
RUN --mount=type=bind,from=wheels,target=/wheels pip wheel --no-deps --wheel-dir /built .
ARG TARGETARCH
RUN --mount=type=bind,from=wheels,target=/wheels case "$TARGETARCH" in \
      amd64) machine=x86_64 ;; \
      arm64) machine=aarch64 ;; \
      *) echo "no image is made for $TARGETARCH" >&2; exit 1 ;; \
    esac && \
    pip install --target /opt/archpatch --only-binary=:all: --implementation cp --python-version 3.11 \
      --platform "manylinux_2_28_$machine" --platform "manylinux2014_$machine" /built/archpatch-*.whl

FROM python:3.11-slim-bookworm
COPY --from=build /opt/archpatch /opt/archpatch
ENV PYTHONPATH=/opt/archpatch PATH=/opt/archpatch/bin:$PATH
USER 65532:65532
WORKDIR /work
ENTRYPOINT ["archpatch"]
