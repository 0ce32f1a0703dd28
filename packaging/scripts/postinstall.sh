#!/bin/sh
# Runs when the files are in place. Arguments: "configure" and the version that was
# there before, from dpkg; 1 for a first installation and 2 for an upgrade, from rpm.
set -e

first_installation() {
	# It is to start with the machine, but not now: it has no configuration yet.
	if command -v systemctl >/dev/null; then
		systemctl enable ecwid-events.service
	fi
	cat <<-'TEXT'
		ecwid-events is installed, and not started yet:
		  1. fill in /etc/ecwid-events/config.yaml
		  2. put the order secret into /etc/ecwid-events/secrets/order
		  3. systemctl start ecwid-events
	TEXT
}

# Is there a running systemd? There is none in a container or a chroot.
if [ -d /run/systemd/system ]; then
	systemctl daemon-reload
fi

case "$1" in
configure)
	if [ -z "$2" ]; then
		first_installation
	elif [ -d /run/systemd/system ]; then
		systemctl try-restart ecwid-events.service
	fi
	;;
1) first_installation ;;
2)
	if [ -d /run/systemd/system ]; then
		systemctl try-restart ecwid-events.service
	fi
	;;
esac
