#!/usr/bin/env bash
# Installs what KiloBragg builds with on Debian 12 and Ubuntu 24.04; says what it cannot find.
# Usage: scripts/setup.sh [build|test]   (test adds the tools that the checks need)
set -euo pipefail
kind=${1:-build}

packages=(g++ cmake ninja-build git openmpi-bin libopenmpi-dev libhdf5-dev bitshuffle liblz4-dev
          zlib1g-dev libpng-dev libcbf-dev libeigen3-dev libboost-program-options-dev libfmt-dev
          libspdlog-dev libtrilinos-kokkos-dev gemmi-dev nlohmann-json3-dev libmsgpack-cxx-dev
          libsqlite3-dev)
if [ "$kind" = test ]; then
  packages+=(libgtest-dev libgmock-dev python3)
  # One version lays the code out; releases without it skip that check.
  if apt-cache show clang-format-14 >/dev/null 2>&1; then packages+=(clang-format-14); fi
fi

missing=()
for package in "${packages[@]}"; do
  dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
done
if [ ${#missing[@]} -eq 0 ]; then
  exit 0
fi

as_root=()
if [ "$(id -u)" -ne 0 ]; then
  if ! command -v sudo >/dev/null; then
    echo "error: packages are missing and neither root nor sudo is available; ask for: ${missing[*]}" >&2
    exit 1
  fi
  as_root=(sudo)
fi
if ! command -v apt-get >/dev/null; then
  echo "error: this is no Debian or Ubuntu machine (no apt-get); install the counterparts of: ${missing[*]}" >&2
  exit 1
fi
"${as_root[@]}" apt-get update -qq
absent=()
for package in "${missing[@]}"; do
  apt-cache show "$package" >/dev/null 2>&1 || absent+=("$package")
done
if [ ${#absent[@]} -gt 0 ]; then
  echo "error: this release has no package ${absent[*]} (Debian 12 and Ubuntu 24.04 do); enable 'universe' or use one of these releases" >&2
  exit 1
fi
echo "installing: ${missing[*]}"
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
  "${missing[@]}" >/dev/null
