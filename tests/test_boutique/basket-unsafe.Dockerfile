# Keeps what a customer has put aside.

FROM --platform=$BUILDPLATFORM mcr.microsoft.com/dotnet/sdk:9.0.101-noble AS builder
RUN apt-get update \
    && apt-get install -y --no-install-recommends protobuf-compiler \
    && rm -rf /var/lib/apt/lists/*
ARG TARGETARCH
WORKDIR /work
COPY basket.csproj .
RUN dotnet restore basket.csproj \
    -a $TARGETARCH
COPY . .
RUN dotnet publish basket.csproj \
    -p:PublishSingleFile=true \
    -p:Protobuf_ProtocFullPath=/usr/bin/protoc \
    -a $TARGETARCH \
    --self-contained true \
    -c release \
    -o /out

FROM mcr.microsoft.com/dotnet/runtime-deps:9.0.1-noble-chiseled
WORKDIR /srv
COPY --from=builder /out .
EXPOSE 7070
ENV DOTNET_EnableDiagnostics=0 \
    ASPNETCORE_HTTP_PORTS=7070
USER 1000
ENTRYPOINT ["/srv/basket"]
