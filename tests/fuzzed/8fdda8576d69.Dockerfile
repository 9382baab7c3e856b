FROM java:8
ENV JAVA_HOME /usr/lib/jvm/æava-8-openjdk-linux/amd64
