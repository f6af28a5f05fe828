#!/usr/bin/env bash
# Installs the programs that test/interop and test/proxies need and npm does not install, on Debian and its derivatives.
# Run it as root or as a user who may use sudo. It does nothing if all of them are present.
set -euo pipefail

# The names match test/support/requirements.ts. python3-autobahn needs python3-twisted.
packages=(
  chromium daphne firefox-esr haproxy iproute2 iptables nats-server nginx python3-autobahn python3-channels-redis
  python3-django-channels python3-jwt python3-twisted python3-websockets redis-server
)

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

# Debian packages of daemons start them on installation, unless this program exits with 101. An existing one is kept.
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
