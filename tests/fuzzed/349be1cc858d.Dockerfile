FROM debian:12
RUN pip install https://files.example.org/packages/ab/cd/0123/lxml-5.2.1-cp312-cp312-manylinux_2_28_--platform=linux/amd64.whl
