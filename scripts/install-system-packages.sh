#!/usr/bin/env bash
# Installs the programs that test/interop talks to and npm does not carry. For Debian and its descendants; run it
# as root or as one who may use sudo. Where all of them are present it does nothing.
set -euo pipefail

# The names are those of test/support/requirements.ts; python3-twisted is what python3-autobahn runs on.
packages=(chromium haproxy iproute2 iptables nginx python3-autobahn python3-twisted python3-websockets redis-server)

missing=()
for package in "${packages[@]}"; do
  status=$(dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null || true)
  [ "$status" = installed ] || missing+=("$package")
done
if [ ${#missing[@]} -eq 0 ]; then
  echo "All system packages are present: ${packages[*]}"
  exit 0
fi

if [ "$(id -u)" -ne 0 ]; then
  exec sudo -- bash "$0"
fi

# The packages of daemons start them at once, on the ports that their tests would like to have. Debian asks this
# program first, and 101 means: not on this machine. One that the machine has already is left as it is.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  trap 'rm -f "$policy"' EXIT
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod 755 "$policy"
fi

export DEBIAN_FRONTEND=noninteractive
echo "Installing: ${missing[*]}"
apt-get -o Acquire::Retries=3 -qq update
apt-get -o Acquire::Retries=3 -o DPkg::Lock::Timeout=300 -qq install --yes --no-install-recommends "${missing[@]}"
