"""AP204."""

from __future__ import annotations

from collections.abc import Iterator

from archpatch.facts import Facts, PlatformKind
from archpatch.platforms import ARM64
from archpatch.rule import Example, Finding, Rule, Severity
from archpatch.syntax.tree import Document
from archpatch_rules.image.lacking import why_no_arm64
from archpatch_rules.image.off_alpine import off_alpine


class BaseWithoutArm64(Rule):
    """The base image was last published without arm64.

    A build for arm64 stops with `no match for platform in manifest: not found`; an image from before 2017, which has no
    list of platforms, is taken as it is and puts amd64 programs under an arm64 label. Old tags are the usual case: a tag
    that is no longer built stays as it was (`mysql:5.7`, `openjdk:13-alpine`, `debian:jessie`).

    It is fine where the image is for a stage that is pinned to amd64 as a tool, or where arm64 is not asked for.

    For Java on Alpine (`eclipse-temurin:17-jre-alpine`) the fix takes the tag without Alpine, where nothing in the file
    asks for Alpine. It is unsafe: that image has other tools in it, and a size of its own. For others there is none: take
    a newer tag, or another image of the same software. The finding rests on what the
    lists of Docker's official images declared, or on what another publisher says, not on a look into the registry;
    `archpatch verify` looks.
    """

    code, name, severity = "AP204", "base-without-arm64", Severity.WARNING
    errors = (
        "no match for platform in manifest: not found",
        "no matching manifest for linux/arm64/v8 in the manifest list entries",
        "failed to resolve source metadata",
    )
    examples = (
        Example(
            "FROM mysql:5.7\n",
            "FROM mysql:5.7\n",
            "A tag that was never built for arm64",
        ),
        Example(
            "FROM gradle:8.5-jdk17-alpine AS build\nRUN gradle build\n"
            "FROM eclipse-temurin:17-jre-alpine\nCOPY --from=build /src/app.jar /app.jar\n",
            "FROM gradle:8.5-jdk17 AS build\nRUN gradle build\n"
            "FROM eclipse-temurin:17-jre\nCOPY --from=build /src/app.jar /app.jar\n",
            "Java, which needs nothing of Alpine",
            applicability="unsafe",
        ),
        Example(
            "FROM openjdk:8u92-jre-alpine\nCOPY app.jar /app.jar\n",
            "FROM openjdk:8u92-jre-alpine\nCOPY app.jar /app.jar\n",
            "Older than images of several platforms",
        ),
        Example(
            "FROM eclipse-temurin:17-jre-alpine\nRUN apk add --no-cache curl\n",
            "FROM eclipse-temurin:17-jre-alpine\nRUN apk add --no-cache curl\n",
            "Alpine's packages are asked for",
        ),
        Example(
            "FROM eclipse-temurin:17-alpine AS build\nRUN ./mvnw package\nFROM alpine\n"
            "COPY --from=build /opt/java/openjdk /opt/java\n",
            "FROM eclipse-temurin:17-alpine AS build\nRUN ./mvnw package\nFROM alpine\n"
            "COPY --from=build /opt/java/openjdk /opt/java\n",
            "What it gives is for Alpine",
        ),
        Example(
            "FROM mcr.microsoft.com/mssql/server:2022-latest\n",
            "FROM mcr.microsoft.com/mssql/server:2022-latest\n",
        ),
        Example(
            "FROM continuumio/miniconda3:4.9.2\n",
            "FROM continuumio/miniconda3:4.9.2\n",
            "An old version of another publisher's image",
        ),
        Example(
            "FROM docker.elastic.co/kibana/kibana:7.5.0\n",
            "FROM docker.elastic.co/kibana/kibana:7.5.0\n",
        ),
        Example("FROM docker.elastic.co/elasticsearch/elasticsearch:8.13.4\n"),
        Example("FROM continuumio/miniconda3:23.5.2-0\nFROM continuumio/miniconda3\n"),
        Example("FROM hashicorp/terraform:1.4\n", title="A tag that moves on with its versions"),
        Example("FROM openjdk:17-slim\n"),
        Example("FROM mysql:5.7\n", title="arm64 is not asked for", platforms=("linux/amd64",)),
        Example("FROM --platform=linux/amd64 mysql:5.7 AS tool\nFROM debian\n", title="A pinned tool"),
    )

    def check(self, document: Document, facts: Facts) -> Iterator[Finding]:
        """Images that the tables know to lack arm64, where arm64 is asked for."""
        if ARM64 not in facts.targets:
            return
        for use in facts.images:
            reason = why_no_arm64(facts, use.ref)
            if reason is None or use.stage.why_fine is not None:
                continue
            platform = use.platform(ARM64)
            if platform.kind is PlatformKind.CONSTANT or facts.named_arch == "amd64":
                continue
            where = "on an arm64 machine" if platform.kind is PlatformKind.BUILD else "for linux/arm64"
            yield self.finding(
                use.word.span,
                f"`{use.ref.familiar}` has no arm64 ({reason}): a build {where} stops with `no match for platform in "
                "manifest`, or takes amd64 programs where the tag is old. Take a newer tag or another image.",
                off_alpine(facts, use),
                severity=Severity.NOTE if platform.kind is PlatformKind.BUILD else None,
            )
