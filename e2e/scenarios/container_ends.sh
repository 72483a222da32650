#!/usr/bin/env bash
# How containers end: out of memory, with an exit code and growing pauses, done, and not startable.
set -euo pipefail
# shellcheck source=e2e/lib.sh
source "$(dirname "$0")/../lib.sh"

ensure_images
fetch_debian_kubectl || true
KUBECTL=$(find_kubectl 1.33 || find_kubectl 1.20) || { echo "SKIP: no kubectl here"; exit 1; }
start_node alpha
"$KOI" image import --data-dir "$work/data" "$images/busybox.tar"
k apply -f "$repo/e2e/fixtures/ends.yaml" >/dev/null

status() { k get pod "$1" -o jsonpath="{.status.$2}"; }
reason_is() { [ "$(status "$1" "containerStatuses[0].$2")" = "$3" ]; }

eventually 40 reason_is hungry state.terminated.reason OOMKilled ||
  fail "hungry: $(status hungry containerStatuses)"
expect "OOM exit code" 137 "$(status hungry 'containerStatuses[0].state.terminated.exitCode')"
note "a container over its memory limit is OOMKilled"

eventually 20 reason_is finished state.terminated.reason Completed || fail "finished: $(status finished containerStatuses)"
expect "phase of a finished pod" Succeeded "$(status finished phase)"

eventually 20 reason_is missing state.waiting.reason ErrImageNeverPull ||
  fail "missing: $(status missing containerStatuses)"
expect_match "unstartable" 'StartError|RunContainerError|CrashLoopBackOff' \
  "$(k get pod broken --no-headers; k get pod broken -o jsonpath='{.status.containerStatuses[0]}')"

eventually 20 reason_is crasher lastState.terminated.exitCode 3 || fail "crasher: $(status crasher containerStatuses)"
restarts_are() { [ "$(status crasher 'containerStatuses[0].restartCount')" = "$1" ]; }
before=$SECONDS
# The first restart comes at once; each crash after it waits twice as long as the one before.
pauses=(0 10 20 40)
for count in 1 2 3 4; do
  eventually 60 restarts_are "$count" || fail "restart $count did not come"
  waited=$((SECONDS - before))
  before=$SECONDS
  note "restart $count came after $waited s"
  wanted=${pauses[$((count - 1))]}
  if [ "$waited" -lt $((wanted - 2)) ] || [ "$waited" -gt $((wanted + 4)) ]; then
    fail "restart $count: waited $waited s, expected $wanted"
  fi
done
expect_match "events" 'BackOff' "$(k get events)"
