# Says what else a customer may like.

ARG TARGETPLATFORM
FROM --platform=$TARGETPLATFORM python:3.12.8-alpine AS base

FROM base AS builder

RUN apk update \
    && apk add --no-cache \
        g++ \
        linux-headers \
        musl-dev \
    && rm -rf /var/cache/apk/*

COPY requirements.txt .
RUN pip install -r requirements.txt

FROM base
ENV PYTHONUNBUFFERED=1

RUN apk update \
    && apk add --no-cache \
        libstdc++ \
        libgcc \
    && rm -rf /var/cache/apk/*

WORKDIR /srv/suggestions
COPY --from=builder /usr/local/lib/python3.12/ /usr/local/lib/python3.12/
COPY . .

# Where it listens
ENV PORT "8080"
EXPOSE 8080

ENTRYPOINT ["python", "suggestions.py"]
