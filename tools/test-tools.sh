#!/bin/sh
# Installs what make test uses besides Go: gcc for the race detector, and
# systemd-analyze for the tests of the unit file. Where it cannot install, it names
# what is missing and goes on; with CI=true that is a failure.
set -eu

missing() {
	command -v gcc >/dev/null || echo gcc libc6-dev
	command -v systemd-analyze >/dev/null || echo systemd
}

packages=$(missing)
[ -n "$packages" ] || exit 0

if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
	echo "Installing what the tests need:" $packages
	apt-get update -qq || true
	# Unquoted on purpose: a list of names.
	DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends $packages >/dev/null || true
	packages=$(missing)
	[ -n "$packages" ] || exit 0
fi

echo "Missing on this machine:" $packages >&2
echo "Without gcc the tests run without the race detector." >&2
echo "Without systemd TestUnitIsValid and TestUnitIsHardened in packaging are skipped." >&2
[ "${CI:-}" != true ]
