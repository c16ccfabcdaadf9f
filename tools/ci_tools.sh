#!/usr/bin/env bash
# Makes sure of what the tests need beside Python and cannot be had by pip: Node.js with npm, Chromium with a Chinese font, PgBouncer.
# The last two are installed where they are missing, on Debian and as root; on other machines: install them there, or leave it to CI.
set -euo pipefail

for tool in node npm; do
  command -v "$tool" >/dev/null || { echo "$tool is missing: the tests of our diagrams need Node.js 20 or newer with npm." >&2; exit 1; }
done

if ! command -v chromium >/dev/null || [[ -z $(fc-list ':lang=zh-cn' family 2>/dev/null) ]] || ! PATH=$PATH:/usr/sbin command -v pgbouncer >/dev/null; then
  if ((EUID != 0)) || ! command -v apt-get >/dev/null; then
    echo 'Chromium, a Chinese font or PgBouncer is missing. On Debian, as root: apt-get install chromium fonts-noto-cjk pgbouncer' >&2
    exit 1
  fi
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq
  apt-get install -y -qq --no-install-recommends chromium fontconfig fonts-noto-cjk pgbouncer >/dev/null
fi

node --version
chromium --version 2>/dev/null
PATH=$PATH:/usr/sbin pgbouncer --version | head -n 1
