# The image holds the static binary, the CA certificates and an empty state
# directory, and nothing else.
FROM --platform=$BUILDPLATFORM golang:1.26-bookworm AS build
WORKDIR /src
# Modules first: they are fetched again only when they change.
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=dev
# Set by builds for another platform; empty means this one.
ARG TARGETOS
ARG TARGETARCH
RUN GOOS=$TARGETOS GOARCH=$TARGETARCH make build VERSION=$VERSION \
 && mkdir -p /image/var/lib/ecwid-events /image/etc/ssl/certs /image/usr/bin \
 && cp bin/ecwid-events /image/usr/bin/ecwid-events \
 && cp /etc/ssl/certs/ca-certificates.crt /image/etc/ssl/certs/

FROM scratch
ARG VERSION=dev
LABEL org.opencontainers.image.title="ecwid-events" \
      org.opencontainers.image.description="Watches Ecwid stores and POSTs every order change to your callback" \
      org.opencontainers.image.source="https://github.com/ecwid-events/ecwid-events" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="$VERSION"
COPY --from=build /image/etc /etc
COPY --from=build /image/usr /usr
# The storage. A volume that is made for it belongs to the user below.
COPY --from=build --chown=65532:65532 /image/var/lib/ecwid-events /var/lib/ecwid-events
ENV STATE_DIRECTORY=/var/lib/ecwid-events \
    TMPDIR=/var/lib/ecwid-events
VOLUME /var/lib/ecwid-events
WORKDIR /var/lib/ecwid-events
USER 65532:65532
# Asks the daemon's admin API, at admin.listen of the same configuration. The first poll
# has no part in it: the daemon is ready when it polls and delivers.
HEALTHCHECK --interval=30s --timeout=10s --start-period=30s --retries=3 \
  CMD ["/usr/bin/ecwid-events", "healthcheck"]
ENTRYPOINT ["/usr/bin/ecwid-events"]
CMD ["run"]
