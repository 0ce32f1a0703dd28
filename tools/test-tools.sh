#!/bin/sh
# Installs what make test uses besides Go: gcc for the race detector; Node, Python and
# PHP for receivers of events; Chromium for the dashboard; and for the tests of
# packaging/: systemd-analyze, rpm, busybox and promtool. Where it cannot install, it names what is missing and goes on; with
# CI=true that is a failure.
set -eu
cd "$(dirname "$0")/.."

missing() {
	command -v gcc >/dev/null || echo gcc libc6-dev
	command -v systemd-analyze >/dev/null || echo systemd
	command -v node >/dev/null || echo nodejs
	command -v npm >/dev/null || echo npm
	command -v python3 >/dev/null || echo python3
	command -v php >/dev/null || echo php-cli
	command -v chromium >/dev/null || echo chromium
	command -v rpm >/dev/null || echo rpm
	command -v busybox >/dev/null || echo busybox-static
}

has_promtool() { command -v promtool >/dev/null || [ -x bin/promtool ]; }

# The package of promtool holds a server that starts when it is installed, so only the
# tool is taken out of it.
extract_promtool() {
	mkdir -p bin
	directory=$(mktemp -d)
	(cd "$directory" && apt-get -o APT::Sandbox::User=root download -qq prometheus >/dev/null && dpkg-deb -x prometheus_*.deb .) &&
		cp "$directory/usr/bin/promtool" bin/
	rm -rf "$directory"
}

packages=$(missing)
[ -n "$packages" ] || ! has_promtool || exit 0

if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
	echo "Installing what the tests need:" $packages $(has_promtool || echo promtool)
	apt-get update -qq || true
	# Unquoted on purpose: a list of names.
	[ -z "$packages" ] ||
		DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends $packages >/dev/null || true
	has_promtool || extract_promtool || true
	packages=$(missing)
	[ -n "$packages" ] || ! has_promtool || exit 0
fi

echo "Missing on this machine:" $packages $(has_promtool || echo promtool) >&2
echo "Without gcc the tests run without the race detector." >&2
echo "Without node, npm, python3 and php some tests of notify are skipped: of receivers and of the programs in docs/events.md." >&2
echo "Without node, npm and chromium TestInBrowser of admin/dashboard is skipped." >&2
echo "Without systemd, rpm, busybox, promtool or root's rights, tests in packaging/ are skipped." >&2
[ "${CI:-}" != true ]
