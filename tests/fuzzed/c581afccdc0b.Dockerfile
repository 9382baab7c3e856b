FROM --platform=$BUILDPLATFORM golang:1.23 AS build
RUN $(uname	-m) app
FROM debian
COPY --from=build /out/app /app
