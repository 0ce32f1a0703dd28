#!/bin/sh
# Runs before the files go. Arguments: "remove" or "upgrade", from dpkg; 0 for a
# removal and 1 for an upgrade, from rpm.
set -e

case "$1" in
remove | 0)
	if [ -d /run/systemd/system ]; then
		systemctl stop ecwid-events.service
	fi
	;;
esac
