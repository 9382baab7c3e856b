"""The amd64 view, on its own: which rewrites leave amd64 what it gets, and which do not."""

from __future__ import annotations

import pytest

from archpatch.facts import Facts
from archpatch.platforms import AMD64
from archpatch.syntax.parse import parse
from archpatch.view import View, difference, same, view
from archpatch.view.stages import Body
from archpatch.view.values import Node

param = pytest.param


def view_of(text: str) -> View:
    document = parse(text.encode())
    assert not document.problems
    return view(Facts(document, targets=(AMD64,)))


def run(script: str, head: str = "FROM debian:bookworm\n") -> str:
    return f"{head}RUN {script}\n"


DOTNET = "FROM mcr.microsoft.com/dotnet/sdk:8.0\n"
BASH = 'FROM debian:bookworm\nSHELL ["/bin/bash", "-c"]\n'
CASE = (
    'case "${TARGETARCH:-$(uname -m)}" in \\\n'
    "      amd64|x86_64) _arch=x64 ;; \\\n"
    "      arm64|aarch64) _arch=arm64 ;; \\\n"
    '      *) echo >&2 "unsupported architecture: ${TARGETARCH:-$(uname -m)}"; exit 1 ;; \\\n'
    "    esac && "
)
ARG = "FROM debian:bookworm\nARG TARGETARCH\n"
BUILD = "FROM --platform=$BUILDPLATFORM golang:1.23 AS build\n"

SAME = [
    # What is no part of the build
    param("FROM a\n# a comment\nRUN b\n", "FROM a\n\nRUN b\n", id="comments and blank lines"),
    param("FROM a\nRUN b &&  c\n", "FROM a\nRUN b \\\n  # why\n  && c\n", id="line breaks, blanks, comments"),
    param("from a\nrun b\n", "FROM a\nRUN b\n", id="case of keywords"),
    param("FROM a AS x\nFROM x\n", "FROM a AS X\nFROM x\n", id="case of stage names"),
    param(run("a 'b c' \"d\""), run('a "b c" d'), id="quotes that mean the same"),
    param(run("a b\\ c"), run("a 'b c'"), id="an escaped blank and a quoted one"),
    # Platforms
    param("FROM --platform=linux/amd64 a\n", "FROM a\n", id="a constant platform goes"),
    param("FROM --platform=$BUILDPLATFORM a\n", "FROM a\n", id="the build platform goes"),
    param("FROM --platform=$TARGETPLATFORM a\n", "FROM a\n", id="the target platform goes"),
    param("FROM a\n", "ARG TARGETPLATFORM\nFROM --platform=$TARGETPLATFORM a\n", id="the target platform comes"),
    param("FROM a AS b\nFROM --platform=linux/arm64 b\n", "FROM a AS b\nFROM b\n", id="a flag on a stage goes"),
    param("ARG P=linux/amd64\nFROM --platform=$P a\n", "ARG P=$TARGETPLATFORM\nFROM --platform=$P a\n", id="an ARG follows the target"),
    param("ARG TARGETARCH=amd64\nFROM x-$TARGETARCH\n", "FROM x-$TARGETARCH\n", id="a global default goes"),
    # Declarations
    param(run("make"), run("make", ARG), id="an ARG comes"),
    param(run("make"), run("make", "FROM debian:bookworm\nARG VERSION=1\n"), id="an ARG with a default comes"),
    param(run("make $TARGETARCH", "FROM a\nARG TARGETARCH=amd64\n"), run("make $TARGETARCH", "FROM a\nARG TARGETARCH\n"), id="a default like the automatic value goes"),
    param(run("make $TARGETARCH"), run("make amd64"), id="a hole is filled by its value"),
    param(run("curl x-${TARGETARCH}.tgz"), run("curl x-${TARGETARCH}.tgz", ARG), id="an undeclared arg is declared"),
    param(run("curl x-${TARGETARCH:-amd64}.tgz"), run("curl x-${TARGETARCH:-amd64}.tgz", ARG), id="an undeclared arg with a fallback is declared"),
    param(run("make A=$TARGETVARIANT $TARGETVARIANT"), run("make A=$TARGETVARIANT $TARGETVARIANT", "FROM debian:bookworm\nARG TARGETVARIANT\n"), id="the variant of amd64 is empty anyway"),
    param("FROM a\nENV GOARCH=$TARGETARCH\nRUN go build -o $GOARCH\n", "FROM a\nARG TARGETARCH\nENV GOARCH=$TARGETARCH\nRUN go build -o $GOARCH\n", id="a hole goes through ENV"),
    param("FROM a AS b\nARG TARGETARCH\nFROM b\nRUN x $TARGETARCH\n", "FROM a AS b\nARG TARGETARCH\nFROM b\nARG TARGETARCH\nRUN x $TARGETARCH\n", id="what the parent declared is declared again"),
    # Selectors
    param(run("GOARCH=amd64 go build"), run("GOARCH=${TARGETARCH} go build", ARG), id="GOARCH before a command"),
    param("FROM a\nENV GOARCH=amd64\nRUN go build\n", "FROM a\nARG TARGETARCH\nENV GOARCH=$TARGETARCH\nRUN go build\n", id="GOARCH in ENV"),
    param(run("export GOOS=linux GOARCH=amd64 && go build"), run("export GOOS=linux GOARCH=$TARGETARCH && go build", ARG), id="GOARCH exported"),
    param(run("curl -o x https://e/t-x64.tgz && tar xf x"), run(CASE + "curl -o x https://e/t-${_arch}.tgz && tar xf x", ARG), id="a case at the head"),
    param(run("curl -o x https://e/t-x64.tgz; tar xf x"), run(CASE + "curl -o x https://e/t-${_arch}.tgz; tar xf x", ARG), id="a case before a list with semicolons"),
    param(run("curl -o x 'https://e/t-x64.tgz?a=b'"), run(CASE + "curl -o x 'https://e/t-'\"${_arch}\"'.tgz?a=b'", ARG), id="single quotes opened for a variable"),
    param("FROM a\nRUN <<EOF\nset -e\ncurl t-x64\nEOF\n", 'FROM a\nARG TARGETARCH\nRUN <<EOF\nset -e\ncase "$TARGETARCH" in\n  amd64) _arch=x64 ;;\n  arm64) _arch=arm64 ;;\nesac\ncurl t-${_arch}\nEOF\n', id="a case in a heredoc"),
    param(run("curl t-x86_64"), run("curl t-$(uname -m)"), id="uname for a literal"),
    param(run("curl t-x86_64"), run("curl t-`uname -m`"), id="uname in backquotes"),
    param(run("curl t-amd64.deb"), run('curl "t-$(dpkg --print-architecture).deb"'), id="dpkg for a literal"),
    param(run("curl t-x86_64"), run("A=$(apk --print-arch) && curl t-$A"), id="apk through a variable"),
    param(run("ls /usr/lib/x86_64-linux-gnu"), run("ls /usr/lib/$(uname -m)-linux-gnu"), id="the folder of libraries"),
    param(run("curl t-amd64"), run("curl t-$(uname -m | sed 's/x86_64/amd64/;s/aarch64/arm64/')"), id="uname through sed"),
    param(run("curl t-x64"), run("curl t-$(case $(uname -m) in x86_64) echo x64;; *) echo arm64;; esac)"), id="a case that prints"),
    param(run("curl t-amd64"), run('if [ "$(uname -m)" = aarch64 ]; then A=arm64; else A=amd64; fi; curl t-$A'), id="an if with else"),
    param(run("curl t-amd64"), run('[ "$TARGETARCH" = arm64 ] && A=arm64 || A=amd64; curl t-$A', ARG), id="and, or"),
    param(run("curl t-x86_64"), run("A=${TARGETARCH/amd64/x86_64}; curl t-$A", ARG), id="a pattern replaced"),
    param(run("curl t-amd64"), run("curl t-${TARGETPLATFORM##*/}", "FROM debian:bookworm\nARG TARGETPLATFORM\n"), id="a prefix cut off"),
    param(run("bash -c 'curl t-x64'"), run("bash -c 'case $(uname -m) in x86_64) A=x64;; esac; curl t-$A'"), id="inside bash -c"),
    param("FROM a\nCOPY t-amd64 /t\n", "FROM a\nARG TARGETARCH\nCOPY t-${TARGETARCH} /t\n", id="COPY of a file by architecture"),
    param("FROM a\nWORKDIR /w/amd64\n", "FROM a\nARG TARGETARCH\nWORKDIR /w/$TARGETARCH\n", id="WORKDIR"),
    param(BUILD + "RUN GOARCH=amd64 go build\n", BUILD + "ARG TARGETARCH\nRUN GOARCH=$TARGETARCH go build\n", id="in a build stage"),
    param("FROM a\nONBUILD RUN curl t-amd64\n", "FROM a\nONBUILD ARG TARGETARCH\nONBUILD RUN curl t-$TARGETARCH\n", id="under ONBUILD"),
    param("FROM a\nRUN <<X\ncat <<EOF >x\nArchitectures: amd64\nEOF\nX\n", "FROM a\nARG TARGETARCH\nRUN <<X\ncat <<EOF >x\nArchitectures: ${TARGETARCH}\nEOF\nX\n", id="a heredoc within a heredoc"),
    param("FROM a\nRUN --mount=type=cache,target=/c,id=go make\n", "FROM a\nRUN --mount=id=go,target=/c,type=cache make\n", id="options of a mount in another order"),
    param(run("A=x B=$A sh -c 'curl t-$B'"), run("A=x B=$A sh -c 'curl t-${B}'"), id="what is given to one script, in braces"),
    param(run("if x; then a; elif true; then b; else c; fi"), run("if x; then a; else b; fi"), id="an arm that is surely taken after one that may be"),
    param(run("A=1 & b"), run("A=2 & b"), id="a variable that a background job keeps to itself"),
    param(run("read -r A <x; readonly B=1; a $B"), run("read -r A <x; a 1"), id="a variable that is only read"),
    param(run("x $(echo a | sed -e s/b/c/)"), run("x a"), id="a filter that fits nothing"),
    param(run("x $(uname)-$(uname -s)"), run("x Linux-Linux"), id="the kernel's name"),
    param(run("x $(echo -n a) $(printf '%s\\n' b)"), run("x a b"), id="what printf and echo print"),
    param("FROM a\nRUN bash <<EOF\ncurl t-x86_64\nEOF\n", "FROM a\nRUN bash <<EOF\ncurl t-\\$(uname -m)\nEOF\n", id="a script in a heredoc"),
    param("FROM a\nENV E=\nENV A=${E:+x}\n", "FROM a\nENV E=\nENV A=\n", id="an alternative that is not taken"),
    param("FROM a\nARG TARGETARCH\nENV A=${TARGETARCH:+x}\n", "FROM a\nENV A=x\n", id="an alternative that is taken"),
    # Packages
    param(run("apk add --no-cache gcc", "FROM alpine\n"), run("apk add --no-cache gcc musl-dev", "FROM alpine\n"), id="a package after the others"),
    param(run("apk add --no-cache gcc zlib", "FROM alpine\n"), run("apk add --no-cache gcc musl-dev zlib", "FROM alpine\n"), id="a package among the others"),
    param(run("apk add --no-cache zlib", "FROM alpine\n"), run("apk add --no-cache gcc zlib", "FROM alpine\n"), id="a package before the others"),
    param(run("apt-get update && apt-get install -y gcc && rm x"), run("apt-get update && apt-get install -y gcc libc6-dev && rm x"), id="a package for apt"),
    # The table of equivalents
    param(run("dotnet publish -r linux-x64 -o /a", "FROM mcr.microsoft.com/dotnet/sdk:8.0\n"), run("dotnet publish -a $TARGETARCH -o /a", "FROM mcr.microsoft.com/dotnet/sdk:8.0\nARG TARGETARCH\n"), id="dotnet -r and -a"),
    param(run("dotnet publish -r linux-musl-x64", "FROM mcr.microsoft.com/dotnet/sdk:8.0-alpine\n"), run("dotnet publish -a amd64", "FROM mcr.microsoft.com/dotnet/sdk:8.0-alpine\n"), id="dotnet -r and -a on Alpine"),
    param(run("CGO_ENABLED=0 go build", "FROM golang:1.23\n"), run("CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH go build", "FROM golang:1.23\nARG TARGETOS\nARG TARGETARCH\n"), id="Go told what it chooses anyway"),
    param(run("apt-get install -y libc6:amd64 gcc"), run("apt-get install -y libc6 gcc"), id="a package of the machine's own architecture"),
    param("FROM debian:12\nENV LD_PRELOAD=/usr/lib/x86_64-linux-gnu/libjemalloc.so.2\n", "FROM debian:12\nENV LD_PRELOAD=libjemalloc.so.2\n", id="a library preloaded by its soname"),
    param(
        "FROM a\nADD https://e/t-x86_64 /bin/t\n",
        "FROM scratch AS t-amd64\nADD https://e/t-x86_64 /t\nFROM scratch AS t-arm64\nADD https://e/t-aarch64 /t\nFROM t-${TARGETARCH} AS t\nFROM a\nCOPY --from=t /t /bin/t\n",
        id="ADD of a URL through a stage",
    ),
    param(
        "FROM a\nADD --chmod=755 --checksum=sha256:1 https://e/t-x86_64 /bin/\n",
        "FROM scratch AS t-amd64\nADD --checksum=sha256:1 https://e/t-x86_64 /\nFROM t-$TARGETARCH AS t\nFROM a\nCOPY --from=t --chmod=755 /t-x86_64 /bin/\n",
        id="ADD of a URL with a mode and a checksum through a stage",
    ),
]  # fmt: skip

DIFFERENT = [
    param("FROM a\nRUN b\n", "FROM a\n", id="a RUN goes"),
    param("FROM a\n", "FROM a\nRUN b\n", id="a RUN comes"),
    param("FROM a\nRUN b\nRUN c\n", "FROM a\nRUN c\nRUN b\n", id="another order of instructions"),
    param(run("a && b"), run("b && a"), id="another order of commands"),
    param(run("a && b"), run("a; b"), id="another operator"),
    param(run("a || b"), run("a && b"), id="or becomes and"),
    param(run("a || true"), run("a"), id="a failure is no longer ignored"),
    param(run("a && { b || c; } && d"), run("a && b || c && d"), id="braces go"),
    param(run("a | b"), run("a && b"), id="a pipe becomes a list"),
    param(run("! a"), run("a"), id="a negation goes"),
    param(run("(cd x && a); b"), run("cd x && a; b"), id="a subshell goes"),
    param(run("a -m64 b"), run("a b"), id="an option goes"),
    param(run("a b"), run("a -p:X=1 b"), id="an option comes"),
    param(run("a b"), run("a c"), id="another argument"),
    param(run("a 'b c'"), run("a b c"), id="one argument becomes two"),
    param(run("a '*'"), run("a *"), id="a glob comes to life"),
    param(run("a > b"), run("a > c"), id="another file is written"),
    param(run("a 2>&1"), run("a"), id="a redirect goes"),
    param(run("a"), 'FROM debian:bookworm\nRUN ["a"]\n', id="shell form becomes exec form"),
    param("FROM a:1\n", "FROM a:2\n", id="another base"),
    param("FROM a AS x\nFROM b\nFROM x\n", "FROM a AS x\nFROM b AS y\nFROM y\n", id="another stage below"),
    param("FROM a AS x\nFROM b AS y\n", "FROM b AS y\nFROM a AS x\n", id="another stage is the last"),
    param("FROM --platform=linux/arm64 a\n", "FROM a\n", id="arm64 on purpose goes"),
    param("FROM a\n", "FROM --platform=linux/arm64 a\n", id="arm64 comes"),
    param("# syntax=docker/dockerfile:1.6\nFROM a\n", "FROM a\n", id="the frontend goes"),
    param("FROM a\nENV X=1\n", "FROM a\nENV X=2\n", id="another ENV"),
    param("FROM a\nENV X=1\n", "FROM a\nARG X=1\n", id="an ENV becomes an ARG"),
    param("FROM a\n", "FROM a\nENV X=1\n", id="an ENV comes"),
    param("FROM a\nARG X=1\nRUN b $X\n", "FROM a\nARG X=2\nRUN b $X\n", id="another default"),
    param("FROM a\nARG X=1\nRUN b\n", "FROM a\nRUN b\n", id="an ARG of the user's goes"),
    param("FROM a\nCOPY x /y\n", "FROM a\nCOPY x /z\n", id="another destination"),
    param("FROM a\nCOPY --chmod=755 x /y\n", "FROM a\nCOPY x /y\n", id="another mode"),
    param("FROM a\nUSER x\n", "FROM a\nUSER y\n", id="another user"),
    param('FROM a\nCMD ["x-amd64"]\n', 'FROM a\nCMD ["x-$TARGETARCH"]\n', id="nothing expands in CMD"),
    param("FROM a\nLABEL x=1\n", "FROM a\nLABEL x=2\n", id="another label"),
    param(run("a & b"), run("a; b"), id="a background job waits"),
    param(run("a & b"), run("c & b"), id="another background job"),
    param(run("a && b &"), run("a; b &"), id="another list in the background"),
    param(run("case $X in a) b ;; c) d ;; esac"), run("case $X in a) b ;; c) e ;; esac"), id="another arm of a case nobody can decide"),
    param(run("case $X in a) b ;; esac"), run("case $Y in a) b ;; esac"), id="another subject"),
    param(run("case amd64 in amd64) a ;& x) b ;; esac", BASH), run("case amd64 in amd64) a ;; x) b ;; esac", BASH), id="an arm no longer falls through"),
    param(run("case amd64 in $X) a ;; *) b ;; esac"), run("a"), id="a pattern that nobody knows"),
    param(run("declare -x A=1; make", BASH), run("declare -r A=1; make", BASH), id="another option of declare"),
    param(run("A=1; bash -c 'if'"), run("A=1; bash -c 'fi'"), id="a script that cannot be read"),
    param(run("A=1; bash -c 'x $A'"), run("A=2; bash -c 'x $A'"), id="a variable that a script may inherit"),
    param(run("A=amd64 sh -c 'curl t-$A'", "FROM a\nENV A=x64\n"), run("A=amd64 sh -c 'curl t-x64'", "FROM a\nENV A=x64\n"), id="a variable given to one script wins"),
    param(run("env A=amd64 sh -c 'curl t-$A'", "FROM a\nENV A=x64\n"), run("env A=amd64 sh -c 'curl t-x64'", "FROM a\nENV A=x64\n"), id="a variable given by env wins"),
    param("FROM a\nRUN bash <<EOF\na\nEOF\n", "FROM a\nRUN bash <<EOF\nb\nEOF\n", id="another script in a heredoc"),
    param("FROM a\nRUN cat <<EOF | bash\na\nEOF\n", "FROM a\nRUN cat <<EOF | bash\nb\nEOF\n", id="another script in a pipe"),
    param(run("x $(echo a | sort)"), run("x a"), id="a filter that nobody knows"),
    param(run("x $(echo a | sed 's/[a-z]/b/')"), run("x b"), id="a pattern of sed that may mean two things"),
    param(run("x $(echo a | sed 's/a/&&/')"), run("x '&&'"), id="a replacement of sed that is none"),
    param(run("x $(echo a | sed -n p 2>&1)"), run("x a"), id="a filter with a redirect"),
    param(run("x $(echo a >b)"), run("x a"), id="output that goes elsewhere"),
    param(run("x $(curl y | sed 's/a/b/')"), run("x $(curl z | sed 's/a/b/')"), id="a download through sed"),
    param(run("x $(echo 'a\\tb')"), run("x 'a\\tb'"), id="a backslash that echo may read"),
    param(run("x $(echo $Y)"), run("x $(echo $Z)"), id="what echo prints of the unknown"),
    param(run("x $(printf '%d' 1)"), run("x 1"), id="a format of printf nobody looked at"),
    param(run("x ${A/[}"), run("x ${A/]}"), id="a replacement that cannot be made"),
    param(run("x $((1+1))"), run("x $((1+2))"), id="another sum"),
    param("FROM a\nENV A=${B:-c}\n", "FROM a\nENV A=${B:-d}\n", id="another fallback of the unknown"),
    param("FROM a\nCOPY <<E /x\na\nE\n", "FROM a\nCOPY <<E /x\nb\nE\n", id="another text of a file"),
    # Automatic arguments
    param(run('[ "$TARGETARCH" = amd64 ] && a; b'), run('[ "$TARGETARCH" = amd64 ] && a; b', ARG), id="a hole decides a branch"),
    param(run('case "$TARGETARCH" in amd64) a ;; *) b ;; esac'), run('case "$TARGETARCH" in amd64) a ;; *) b ;; esac', ARG), id="a hole decides a case"),
    param(run("x $TARGETARCH", "FROM a\nARG TARGETARCH=x64\n"), run("x $TARGETARCH", "FROM a\nARG TARGETARCH\n"), id="a default that is no automatic value goes"),
    param(run("x ${TARGETARCH:-x64}"), run("x ${TARGETARCH:-x64}", ARG), id="a fallback that is no automatic value"),
    param(run("curl t-amd64"), run("curl t-$TARGETARCH"), id="a literal becomes an undeclared arg"),
    param(run("curl t-amd64"), run("curl t-$ARCH"), id="a literal becomes an unknown variable"),
    param(run("curl t-x86_64"), run("curl t-$TARGETARCH", ARG), id="another spelling"),
    param("FROM --platform=linux/arm64 a\nRUN curl t-x86_64\n", "FROM --platform=linux/arm64 a\nRUN curl t-$(uname -m)\n", id="uname in an arm64 stage"),
    param(run("curl t-amd64"), run('if [ -f x ]; then A=arm64; else A=amd64; fi; curl t-$A'), id="an if that nobody can decide"),
    param(run("A=1; f() { echo $A; }; f"), run("A=2; f() { echo $A; }; f"), id="a variable that a function sees"),
    param(run("f() { echo $A; }; A=1; f"), run("f() { echo $A; }; A=2; f"), id="a variable that a function sees later"),
    param(run('A=1; eval "echo $B"'), run('A=2; eval "echo $B"'), id="a variable that eval may see"),
    param(run("A=1; echo $((A+1))"), run("A=2; echo $((A+1))"), id="a variable in arithmetic"),
    param(run("A=1; for i in 1 2; do A=$A$i; done; echo $A"), run("A=2; for i in 1 2; do A=$A$i; done; echo $A"), id="a variable before a loop"),
    param(run("A=1; if x; then A=2; fi; echo $A"), run("A=3; if x; then A=2; fi; echo $A"), id="a variable before a branch"),
    param(run("A=1; if x; then A=2; fi; echo $A"), run("A=1; if x; then A=3; fi; echo $A"), id="a variable in a branch"),
    param(run("A=1; y && A=2; echo $A"), run("A=1; y && A=3; echo $A"), id="a variable after an unsure and"),
    param(run("A=1; y || A=2; echo $A"), run("A=1; y; A=2; echo $A"), id="a variable after an unsure or"),
    param("FROM a\nENV A=1\nRUN A=2; make\n", "FROM a\nENV A=1\nRUN A=3; make\n", id="a variable of the environment"),
    param(run("set -a; A=1; make"), run("set -a; A=2; make"), id="all variables are exported"),
    param("FROM a\nRUN <<X\nA=1\ncat <<EOF >x\n$A\nEOF\nX\n", "FROM a\nRUN <<X\nA=2\ncat <<EOF >x\n$A\nEOF\nX\n", id="a variable in a heredoc"),
    param("FROM a\nRUN <<X\nA=1\ncat <<'EOF' >x\n$A\nEOF\nX\n", "FROM a\nRUN <<X\nA=1\ncat <<EOF >x\n$A\nEOF\nX\n", id="a heredoc comes to life"),
    param(run("A=$(curl a); x $A"), run("A=$(curl b); x $A"), id="a substitution"),
    param(run("export A=1; A=2; make"), run("export A=1; A=3; make"), id="a variable that was exported before"),
    param(run("A=1; export A; make"), run("A=2; export A; make"), id="a variable that is exported by name"),
    param(run("export A; A=1; make"), run("export A; A=2; make"), id="a variable that is exported before it is set"),
    param(run("a=(1 2); x ${a[0]}", "FROM a\nSHELL [\"/bin/bash\", \"-c\"]\n"), run("a=(3 2); x ${a[0]}", "FROM a\nSHELL [\"/bin/bash\", \"-c\"]\n"), id="an array"),
    param(run("a[0]=1; x ${a[0]}", "FROM a\nSHELL [\"/bin/bash\", \"-c\"]\n"), run("a[0]=2; x ${a[0]}", "FROM a\nSHELL [\"/bin/bash\", \"-c\"]\n"), id="an element of an array"),
    param(run("echo 1 2 | { read A B; x $A; }"), run("echo 1 2 | { read B A; x $A; }"), id="what read sets"),
    param(run("A=1; unset A; x ${A:-2}"), run("A=1; x ${A:-2}"), id="a variable that is unset"),
    param(run("[ a = * ] && b"), run("[ a = b ] && b"), id="a glob decides"),
    param("FROM a\nENV TARGETARCH=x64\nRUN make\n", "FROM a\nENV TARGETARCH=x64\nARG TARGETARCH\nRUN make\n", id="an ARG hides an ENV"),
    param("FROM a\nENV X=1\nRUN make\n", "FROM a\nENV X=1\nARG X=2\nRUN make\n", id="an ARG hides an ENV of the user's"),
    # Packages
    param(run("apk add gcc"), run("apk add g++"), id="another package"),
    param(run("apk add gcc make"), run("apk add gcc"), id="a package goes"),
    param(run("apk add gcc"), run("apk add --update gcc"), id="an option of apk comes"),
    param(run("apk add -t x gcc"), run("apk add -t musl-dev x gcc"), id="a package where a value belongs"),
    param(run("apk del gcc"), run("apk del gcc make"), id="a package is taken away"),
    param(run("pip install a"), run("pip install a b"), id="a package of Python"),
    param(run("apt-get install -y gcc"), run("apt-get install -y gcc $X"), id="a package nobody knows"),
    param(run("apt-get install -y libc6:arm64"), run("apt-get install -y libc6"), id="a package of another architecture"),
    param("FROM --platform=linux/arm64 debian\nRUN apt-get install -y libc6:amd64\n", "FROM --platform=linux/arm64 debian\nRUN apt-get install -y libc6\n", id="amd64 packages in an arm64 stage"),
    # Not quite equivalent
    param("FROM a\nADD https://e/t.git /t.git\n", "FROM scratch AS t\nADD https://e/t.git /t.git\nFROM a\nCOPY --from=t /t.git /t.git\n", id="ADD of a repository"),
    param(run("dotnet publish -r linux-x64", "FROM mcr.microsoft.com/dotnet/sdk:8.0-alpine\n"), run("dotnet publish -a amd64", "FROM mcr.microsoft.com/dotnet/sdk:8.0-alpine\n"), id="dotnet -a on Alpine means musl"),
    param(run("go build", "FROM golang:1.23\nENV GOARCH=arm64\n"), run("GOARCH=amd64 go build", "FROM golang:1.23\nENV GOARCH=arm64\n"), id="Go told otherwise before"),
    param(run("export GOARCH=arm64; go build", "FROM golang:1.23\n"), run("export GOARCH=arm64; GOARCH=amd64 go build", "FROM golang:1.23\n"), id="Go told otherwise in the script"),
    param(run("go build", "FROM golang:1.23\n"), run("GOARCH=arm64 go build", "FROM golang:1.23\n"), id="Go told another architecture"),
    param(run("go build", "FROM mine\n"), run("GOARCH=amd64 go build", "FROM mine\n"), id="an image that may tell Go otherwise"),
    param("FROM alpine\nENV LD_PRELOAD=/usr/lib/x86_64-linux-gnu/libjemalloc.so.2\n", "FROM alpine\nENV LD_PRELOAD=libjemalloc.so.2\n", id="a library preloaded on musl"),
    param(run("dotnet publish -a", DOTNET), run("dotnet publish -r", DOTNET), id="dotnet without a value"),
    param(run("dotnet publish -r win-x64", DOTNET), run("dotnet publish -a amd64", DOTNET), id="dotnet for another system"),
    param(run("dotnet publish --arch=arm64", DOTNET), run("dotnet publish --arch=amd64", DOTNET), id="dotnet for another architecture"),
    param("FROM a\nADD $U /bin/t\n", "FROM scratch AS t\nADD $U /t\nFROM a\nCOPY --from=t /t /bin/t\n", id="ADD of something unknown"),
    param("FROM a\nADD https://e/t https://e/u /bin/\n", "FROM scratch AS t\nADD https://e/t https://e/u /\nFROM a\nCOPY --from=t /t /u /bin/\n", id="ADD of two files"),
    param("FROM a\nADD https://e/t /bin/t\n", "FROM scratch AS t\nADD https://e/t /t\nFROM a\nCOPY --from=t /u /bin/t\n", id="another file of the stage"),
    param("FROM a\nADD https://e/t /bin/t\n", "FROM scratch AS t\nADD https://e/t /t\nFROM a\nCOPY --from=t --chown=1 /t /bin/t\n", id="ADD through a stage with another owner"),
    param("FROM a\nADD https://e/t /bin/t\n", "FROM scratch AS t\nADD https://e/t /t\nFROM a\nCOPY --from=b /t /bin/t\n", id="ADD becomes COPY from an image"),
    param("FROM a\nADD https://e/t /bin/t\n", "FROM scratch AS t\nADD https://e/t /t\nADD https://e/u /u\nFROM a\nCOPY --from=t /t /bin/t\n", id="ADD through a stage of two"),
    param("FROM a\nADD https://e/t /bin/t\n", "FROM scratch AS t\nADD https://e/t /t\nFROM a\nADD https://e/t /bin/u\n", id="ADD to another place"),
    param("FROM a\nADD https://e/t /bin/t\n", "FROM scratch AS t\nADD https://e/t /t\nFROM a\nCOPY --from=t /t /bin/u\n", id="ADD through a stage to another place"),
    param("FROM a\nADD https://e/t /bin/t\n", "FROM scratch AS t\nADD --chmod=755 https://e/t /t\nFROM a\nCOPY --from=t /t /bin/t\n", id="ADD through a stage with another mode"),
    param("FROM a\nADD https://e/t /bin/t\n", "FROM b AS t\nADD https://e/t /t\nFROM a\nCOPY --from=t /t /bin/t\n", id="ADD through a stage on an image"),
    param("FROM a\nADD https://e/t /bin/t\n", "FROM scratch AS t\nADD https://e/u /t\nFROM a\nCOPY --from=t /t /bin/t\n", id="another URL through a stage"),
    param("FROM a\nADD https://e/t.tgz /bin/\n", "FROM scratch AS t\nADD https://e/t.tgz /x\nFROM a\nCOPY --from=t /x /bin/\n", id="another name through a stage"),
]  # fmt: skip


@pytest.mark.parametrize(("before", "after"), SAME)
def test_amd64_gets_the_same(before: str, after: str) -> None:
    assert difference(view_of(before), view_of(after)) is None


@pytest.mark.parametrize(("before", "after"), DIFFERENT)
def test_amd64_gets_something_else(before: str, after: str) -> None:
    assert not same(view_of(before), view_of(after))


@pytest.mark.parametrize("text", [value for row in SAME + DIFFERENT for value in row.values])
def test_a_view_is_the_same_as_itself(text: str) -> None:
    assert view_of(text) == view_of(text)
    assert same(view_of(text), view_of(text))


@pytest.mark.parametrize(
    "script",
    [
        param("; ".join(f"if a{n}; then F=$F$F; fi" for n in range(60)) + "; x $F", id="undecided branches"),
        param("; ".join("F=$(a $F $F)" for _ in range(60)) + "; x $F", id="substitutions"),
        param("F=x; " + "; ".join("F=$F$F" for _ in range(60)) + "; x $F", id="literals"),
        param("; ".join("for i in a b; do F=$F$F$i; done" for _ in range(60)) + "; x $F", id="loops"),
        param("; ".join("a && F=$F$F" for _ in range(60)) + "; x $F", id="unsure lists"),
    ],
)
def test_a_value_that_doubles_stays_small(script: str) -> None:
    seen = view_of(run(script))
    assert len(repr(seen)) < 400_000
    assert same(seen, view_of(run(script)))


def test_a_difference_names_the_stage_and_the_instruction() -> None:
    found = difference(view_of("FROM a AS x\nRUN b\n"), view_of("FROM a AS x\nRUN c\n"))
    assert str(found) == "stage x: RUN differs"


def test_scripts_that_stand_in_both_files_are_not_read() -> None:
    before = view_of("FROM a\nRUN one\nRUN two $TARGETARCH\n")
    after = view_of("FROM a\nRUN one\nARG TARGETARCH\nRUN two $TARGETARCH\n")
    bodies = [step.parts[-1] for step in before.stages[0].steps if isinstance(step, Node)]
    assert same(before, after)
    assert [body._steps is None for body in bodies if isinstance(body, Body)] == [True, False]
