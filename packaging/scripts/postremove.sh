#!/bin/sh
# Runs when the files are gone. Arguments: "remove", "purge" or "upgrade", from dpkg;
# 0 for a removal and 1 for an upgrade, from rpm.
#
# A removal leaves the configuration, the secrets and the storage, so that another
# installation goes on where this one was. Purging leaves nothing: the storage holds
# customers' personal data. rpm knows no purging; docs/operations.md tells what to do.
# Whether the service starts with the machine is part of what dpkg leaves, and of what
# rpm does not.
set -e

disable() {
	rm -f /etc/systemd/system/multi-user.target.wants/ecwid-events.service
}

case "$1" in
0) disable ;;
purge)
	disable
	# The first of the last two is a link to the second one: the service has a
	# user that exists only while it runs.
	rm -rf /etc/ecwid-events /var/lib/ecwid-events /var/lib/private/ecwid-events
	;;
esac

if [ -d /run/systemd/system ]; then
	systemctl daemon-reload
fi
