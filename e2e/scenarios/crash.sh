#!/usr/bin/env bash
# 32 clients create objects while the server is killed 20 times: what was acknowledged is there.
set -euo pipefail
# shellcheck source=e2e/lib.sh
source "$(dirname "$0")/../lib.sh"

start_node alpha --disable-agent
in_node python3 "$repo/e2e/crash.py" --koi "$KOI" --work "$work" --pid "$koi_pid" --kills "${KOI_CRASH_KILLS:-20}"
