FROM rust:1.80-alpine AS build
RUN x86_64-unknown-linux-musl target add x86_64-unknown-linux-musl
RUN cargo build --release --target x86_64-unknown-linux-musl \
