#!/usr/bin/env bash
# kill -9 of koi stops no container: pods keep answering, keep their processes, and count no restart.
set -euo pipefail
# shellcheck source=e2e/lib.sh
source "$(dirname "$0")/../lib.sh"

ensure_images
fetch_debian_kubectl || true
KUBECTL=$(find_kubectl 1.33 || find_kubectl 1.20) || { echo "SKIP: no kubectl here"; exit 1; }
start_node alpha
"$KOI" image import --data-dir "$work/data" "$images/nginx.tar"
k apply -f "$repo/e2e/fixtures/web.yaml" >/dev/null
k rollout status deployment/web --timeout=60s >/dev/null
mapfile -t addresses < <(k get pods -l app=web -o jsonpath='{range .items[*]}{.status.podIP}{"\n"}{end}')

processes() { pgrep -x nginx | while read -r pid; do echo "$pid $(readlink "/proc/$pid/ns/net")"; done | sort; }
answers() {
  local ip
  for ip in "${addresses[@]}"; do in_node curl -sS --fail --max-time 5 "http://$ip/" >/dev/null || return 1; done
}

eventually 10 answers || fail "the pods do not answer"
before=$(processes)
for round in 1 2 3; do
  kill -9 "$koi_pid"
  wait "$koi_pid" 2>/dev/null || true
  answers || fail "round $round: pods do not answer while koi is dead"
  run_node
  answers || fail "round $round: pods do not answer after the restart"
done
expect "the same processes" "$before" "$(processes)"
expect "no restarts" "0 0 0" "$(k get pods -l app=web -o jsonpath='{.items[*].status.containerStatuses[0].restartCount}')"
note "three pods, three kills: same processes, no restart"

note "pods deleted just before koi dies are gone after the restart"
k delete deployment web --wait=false >/dev/null
kill -9 "$koi_pid"
wait "$koi_pid" 2>/dev/null || true
run_node
no_pods() { [ -z "$(k get pods -o name)" ]; }
eventually 30 no_pods || fail "pods are left: $(k get pods)"
