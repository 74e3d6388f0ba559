#!/usr/bin/env bash
# Makes sure that the browser tests have a Chromium: the one that is there, else Debian's package where we may.
# Exits non-zero only in CI; elsewhere it says what to do and the browser tests skip themselves.
set -euo pipefail

if command -v chromium >/dev/null; then
  exit 0
fi

as_root=()
if [ "$(id -u)" -ne 0 ]; then
  as_root=(sudo -n)
fi

if command -v apt-get >/dev/null && { [ "$(id -u)" -eq 0 ] || sudo -n true 2>/dev/null; }; then
  echo "no chromium here: installing the distribution's package" >&2
  if "${as_root[@]}" apt-get update -qq >&2 &&
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium >&2; then
    exit 0
  fi
fi

echo "no chromium could be had: install it (Debian: apt-get install chromium) so that 'chromium' is on the PATH" >&2
if [ "${CI:-}" = true ]; then
  exit 1
fi
