#!/bin/bash
# Proves the two commands on a machine that has nothing of ours: a minimal Debian root, a clone of the project, no more.
#
#   make bare                       # everything; about ten minutes
#   BARE_ROOT=DIR make bare         # build the root there (default: a new folder under var/)
#   BARE_KEEP=1                     # keep the root afterwards
#   BARE_COMMANDS="make up"         # only these, one per line
#   BARE_WORKTREE=1                 # what lies in the folder, committed or not, in place of the last commit
set -euo pipefail
cd "$(dirname "$0")/.."
project=$PWD
suite=${BARE_SUITE:-bookworm}
root=${BARE_ROOT:-$project/var/bare/root}
cache=$project/var/bare/packages
port=${BARE_PORT:-8765}

if [ "$(id -u)" != 0 ]; then
    echo "需要 root（debootstrap 与 chroot） / root is needed for debootstrap and chroot" >&2
    exit 1
fi
if ! command -v debootstrap >/dev/null; then
    apt-get install -y -qq --no-install-recommends debootstrap >/dev/null
fi

inside() {
    # Only what a login would have, and the settings of the package clients; nothing else of this machine's environment.
    local settings=() line
    while IFS= read -r line; do settings+=("$line"); done < <(
        env | grep -E '^(PIP_(CERT|INDEX_URL|DEFAULT_TIMEOUT|DISABLE_PIP_VERSION_CHECK)|SSL_CERT_(FILE|DIR)|REQUESTS_CA_BUNDLE|CURL_CA_BUNDLE|https?_proxy|HTTPS?_PROXY|no_proxy|NO_PROXY)=' || true
    )
    chroot "$root" /usr/bin/env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 TERM="${TERM:-dumb}" \
        DEBIAN_FRONTEND=noninteractive CI="${CI:-}" PORT="$port" "${settings[@]}" /bin/bash -ec "$1"
}

clean() {
    code=$?
    trap - EXIT
    set +e
    if [ -d "$root/srv/huying" ]; then
        inside 'cd /srv/huying && [ -x .venv/bin/python ] && make --no-print-directory down' >/dev/null 2>&1
    fi
    # Whatever still runs inside this root was started by us; its pid is known by where its root is.
    for proc in /proc/[0-9]*; do
        if [ "$(readlink "$proc/root" 2>/dev/null)" = "$(realpath "$root")" ]; then kill "${proc#/proc/}" 2>/dev/null; fi
    done
    sleep 1
    for mount in dev/shm dev/pts dev proc; do
        if mountpoint -q "$root/$mount"; then umount "$root/$mount" || umount -l "$root/$mount"; fi
    done
    if [ -z "${BARE_KEEP:-}" ] && ! grep -q " $(realpath "$root")/" /proc/mounts; then rm -rf --one-file-system "$root"; fi
    exit $code
}

if [ -e "$root" ] && grep -q " $(realpath "$root")/" /proc/mounts; then
    echo "仍有挂载 / still mounted: $root" >&2
    exit 1
fi
trap clean EXIT
rm -rf --one-file-system "$root"
mkdir -p "$root" "$cache"

echo "● debootstrap $suite"
mirror=$(sed -n 's/^URIs: *\([^ ]*\).*/\1/p; s/^deb \(\[[^]]*\] \)\?\([^ ]*\) .*/\2/p' /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null | head -1 || true)
debootstrap --variant=minbase --cache-dir="$cache" --include=ca-certificates "$suite" "$root" ${mirror:+"$mirror"} \
    >"$project/var/bare/debootstrap.log" 2>&1 || { tail -20 "$project/var/bare/debootstrap.log"; exit 1; }

echo "● 软件包客户端的设置 / the package clients' settings"
rm -f "$root/etc/apt/sources.list"
for each in /etc/apt/sources.list /etc/apt/sources.list.d /etc/apt/apt.conf.d /etc/apt/auth.conf.d /etc/apt/trusted.gpg.d \
    /etc/apt/keyrings /usr/share/keyrings /etc/pip.conf /etc/xdg/pip /etc/resolv.conf /etc/hosts \
    /etc/ssl/certs/ca-certificates.crt /usr/local/share/ca-certificates; do
    if [ -e "$each" ]; then
        mkdir -p "$root$(dirname "$each")"
        rm -rf "${root:?}$each"
        cp -aL "$each" "$root$each"
    fi
done
mount -t proc proc "$root/proc"
mount --bind /dev "$root/dev"
if mountpoint -q /dev/pts; then mount --bind /dev/pts "$root/dev/pts"; fi
if [ -d /dev/shm ]; then mount --bind /dev/shm "$root/dev/shm"; fi

echo "● make git python3 python3-venv"
certificates=$(mktemp)
cp /etc/ssl/certs/ca-certificates.crt "$certificates"
inside 'apt-get -qq update && apt-get -qq install -y --no-install-recommends make git python3 python3-venv ca-certificates >/dev/null'
# Installing the package wrote its own list of certificates; this machine's may have one more.
cp "$certificates" "$root/etc/ssl/certs/ca-certificates.crt"
rm -f "$certificates"

echo "● git clone"
if [ -n "${BARE_WORKTREE:-}" ]; then
    mkdir -p "$root/srv/huying"
    git ls-files -z --cached --others --exclude-standard | xargs -0 tar cf - | tar xf - -C "$root/srv/huying"
else
    git clone --quiet --no-hardlinks "$project" "$root/srv/huying"
fi
ls -A "$root/srv"

while IFS= read -r line; do
    [ -n "$line" ] || continue
    echo "● $line"
    began=$SECONDS
    inside "cd /srv/huying && $line"
    echo "  $line: $((SECONDS - began)) s"
done <<<"${BARE_COMMANDS:-$(printf '%s\n' 'make --no-print-directory up' 'make --no-print-directory up' 'make --no-print-directory status' 'make --no-print-directory test' 'make --no-print-directory down')}"
echo "● 两条命令在最小系统中都成立 / both commands hold in a bare root"
