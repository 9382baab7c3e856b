FROM debian
RUN wget https://?odejs.org/dist/${VERSION}/node-${VERSION}-linux-x64.tar.xz \
