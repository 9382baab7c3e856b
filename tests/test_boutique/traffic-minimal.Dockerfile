# Customers that never tire, for load tests.

FROM python:3.12.8-alpine AS base

FROM base AS builder
RUN apk update \
    && apk add --no-cache wget g++ linux-headers \
    && rm -rf /var/cache/apk/*
COPY requirements.txt .
RUN pip install --prefix="/opt/packages" -r requirements.txt

FROM base
RUN apk update \
    && apk add --no-cache libstdc++ \
    && rm -rf /var/cache/apk/*
WORKDIR /srv/traffic
COPY --from=builder /opt/packages /usr/local
COPY shoppers.py .
ENV GEVENT_SUPPORT=True
ENTRYPOINT locust --host="http://${SHOP}" --headless -u "${SHOPPERS:-10}" -r "${PER_SECOND:-1}" 2>&1
