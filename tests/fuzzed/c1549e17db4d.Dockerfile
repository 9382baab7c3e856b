FROM ubuntu:20.04
RUN sh -c 'echo "deb [arch=amd64] http://dl.google.com/linux/chrome/deb/ stable main" >> /etc/apt/sources.list.d/google.list'
COPY linux/amd64 /usr/local/bin/dockerd-entrypoint.sh
