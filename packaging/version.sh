#!/bin/sh
# Prints the version of the packages for what git describe --tags --always --dirty
# said:
#
#     v1.2.0-rc.1            1.2.0~rc.1           before 1.2.0
#     v1.2.0                 1.2.0
#     v1.2.0-5-gabc1234      1.2.0+5.gabc1234     after it, five commits later
#     abc1234                0.0.0+gabc1234       no tag yet: before all
#
# A tree that was changed since adds .dirty, or +dirty to a version without a plus.
set -eu

dirty=
case $1 in
*-dirty) dirty=dirty ;;
esac
version=$(printf %s "${1%-dirty}" | sed -E \
	-e 's/-([0-9]+)-g([0-9a-f]+)$/+\1.g\2/' \
	-e 's/^([0-9a-f]{7,40})$/0.0.0+g\1/' \
	-e 's/^v//' \
	-e 's/-/~/; s/-/./g')
case $version in
[0-9]*.[0-9]*.[0-9]*) ;;
*)
	echo "version.sh: $1 is neither a version such as v1.2.3 nor a commit: set VERSION" >&2
	exit 1
	;;
esac
case $version in
*+*) printf '%s\n' "$version${dirty:+.$dirty}" ;;
*) printf '%s\n' "$version${dirty:++$dirty}" ;;
esac
