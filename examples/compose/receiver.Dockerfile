# The example receiver of examples/receiver, which is the context.
FROM golang:1.26-bookworm AS build
WORKDIR /src
COPY *.go ./
RUN go mod init receiver \
 && CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o /receiver .

# It has a shell, which hands the secret from its file to the receiver, and nc, which
# asks for the receiver's health.
FROM busybox:1.37-musl
COPY --from=build /receiver /usr/bin/receiver
USER 65532:65532
ENTRYPOINT ["/bin/sh", "-c", "SIGNING_SECRET=$(cat /run/secrets/signing) exec receiver"]
