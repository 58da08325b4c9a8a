# PostgreSQL with oml_epe, and its REST gateway, on Debian. docs/how-to/install.md, "Container image".
#   docker build -t oml_epe .           or podman, or buildah
#   POSTGRES_PASSWORD=... docker compose up
# The image contains the Debian packages that tools/build-deb makes.
ARG BASE=debian:bookworm-slim

FROM ${BASE} AS build
ENV DEBIAN_FRONTEND=noninteractive
# hadolint ignore=DL3008 # the versions of one Debian release
RUN apt-get update \
    && apt-get install -y --no-install-recommends build-essential postgresql-server-dev-all \
    && rm -rf /var/lib/apt/lists/*
COPY debian /source/debian
WORKDIR /source
RUN apt-get update \
    && pg_buildext updatecontrol \
    && apt-get build-dep -y --no-install-recommends ./ \
    && rm -rf /var/lib/apt/lists/*
COPY . /source
RUN tools/build-deb /packages && rm /packages/*-dbgsym_*.deb

FROM ${BASE}
ENV LANG=C.UTF-8
# Without a cluster: container/entrypoint makes it in the volume.
# hadolint ignore=DL3008
RUN --mount=type=bind,from=build,source=/packages,target=/packages \
    mkdir -p /etc/postgresql-common/createcluster.d \
    && echo "create_main_cluster = false" > /etc/postgresql-common/createcluster.d/image.conf \
    && apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
        /packages/*.deb python3-matplotlib \
    && rm -rf /var/lib/apt/lists/*
COPY container/entrypoint /usr/local/bin/oml_epe-entrypoint
ENV PGDATA=/var/lib/postgresql/data
VOLUME /var/lib/postgresql
EXPOSE 5432 8080
# Fast shutdown of the server; the gateway ends by it as well.
STOPSIGNAL SIGINT
ENTRYPOINT ["oml_epe-entrypoint"]
CMD ["postgres"]
LABEL org.opencontainers.image.title="oml_epe" \
    org.opencontainers.image.description="PostgreSQL with embedded Python execution, and its REST gateway" \
    org.opencontainers.image.source="https://github.com/oml-epe/oml_epe" \
    org.opencontainers.image.licenses="PostgreSQL"
