#!/usr/bin/env bash
# need.sh PACKAGE...: installs what is missing of these Debian packages.
set -euo pipefail

missing=()
for package in "$@"; do
    case "$package" in
        util-linux) program=taskset ;;
        python3-venv) program= ;;
        *) program=$package ;;
    esac
    [ -n "$program" ] && command -v "$program" > /dev/null || missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0

sudo=
[ "$(id -u)" -eq 0 ] || sudo=sudo
if ! command -v apt-get > /dev/null; then
    echo "need.sh: please install: ${missing[*]}" >&2
    exit 1
fi
echo "installing ${missing[*]} ..." >&2
export DEBIAN_FRONTEND=noninteractive
$sudo apt-get install -y -qq "${missing[@]}" > /dev/null 2>&1 || {
    $sudo apt-get update -qq
    $sudo apt-get install -y -qq "${missing[@]}" > /dev/null
}
