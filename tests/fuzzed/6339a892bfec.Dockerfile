FROM gcr.io/oss-fuzz-base/base-builder-jvm
COPY *[.sh *.java linux-x64
