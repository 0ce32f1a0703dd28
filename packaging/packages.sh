#!/bin/sh
# Builds the deb and the rpm around a binary:
#
#     packages.sh BINARY ARCH GIT_DESCRIPTION DIRECTORY
#
# ARCH is Go's name for it. The packages are the same, byte for byte, whenever and
# wherever they are built from the same commit.
set -eu

binary=$(realpath "$1")
arch=$2
description=$3
mkdir -p "$4"
directory=$(realpath "$4")
cd "$(dirname "$0")"

version=$(./version.sh "$description")
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
export BINARY="$binary" ARCH="$arch" VERSION="$version" SOURCE_DATE_EPOCH

for format in deb rpm; do
	go tool nfpm package --config nfpm.yaml --packager "$format" --target "$directory/"
done
