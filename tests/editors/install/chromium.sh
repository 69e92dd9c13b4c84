#!/usr/bin/env bash
# A Chromium to drive, with fonts that show CJK and emoji. Prints its path: chromium.sh
# GLM_CHROMIUM names one that is there already.
set -euo pipefail
fail() { printf 'chromium.sh: %s\n' "$*" >&2; exit 1; }
if [ -n "${GLM_CHROMIUM:-}" ]; then
  [ -x "$GLM_CHROMIUM" ] || fail "GLM_CHROMIUM=$GLM_CHROMIUM is not a program."
  echo "$GLM_CHROMIUM"
  exit 0
fi
packages=()
command -v chromium > /dev/null || packages+=(chromium)
[ -e /usr/share/fonts/truetype/wqy ] || packages+=(fonts-wqy-microhei)
[ -e /usr/share/fonts/truetype/noto/NotoColorEmoji.ttf ] || packages+=(fonts-noto-color-emoji)
if [ ${#packages[@]} -gt 0 ] && [ "$(id -u)" = 0 ]; then
  export DEBIAN_FRONTEND=noninteractive
  apt-get -qq update >&2 || fail "the Debian mirror cannot be reached."
  apt-get -qq -y --no-install-recommends install "${packages[@]}" > /dev/null || fail "apt could not install: ${packages[*]}"
elif ! command -v chromium > /dev/null; then
  fail "Chromium is missing, and apt needs root to install it. Run as root: apt install ${packages[*]}
             or set GLM_CHROMIUM to a Chromium or Chrome of your own."
fi
command -v chromium
