#!/usr/bin/env bash
# After deleting everything and stopping, the machine is as before.
set -euo pipefail
# shellcheck source=e2e/lib.sh
source "$(dirname "$0")/../lib.sh"

ensure_images
fetch_debian_kubectl || true
KUBECTL=$(find_kubectl 1.33 || find_kubectl 1.20) || { echo "SKIP: no kubectl here"; exit 1; }
namespaces() { ip netns list | cut -d' ' -f1 | sort; }
start_node alpha
namespaces_before=$(namespaces)
"$KOI" image import --data-dir "$work/data" "$images/nginx.tar"
k apply -f "$repo/e2e/fixtures/web.yaml" >/dev/null
k rollout status deployment/web --timeout=60s >/dev/null
[ -n "$(leftovers)" ] || fail "the check sees nothing even while pods run"
k delete -f "$repo/e2e/fixtures/web.yaml" >/dev/null
no_pods() { [ -z "$(k get pods -A -o name)" ]; }
eventually 60 no_pods || fail "pods are left: $(k get pods -A)"
stop_node
expect "leftovers" "" "$(leftovers)"
expect "network namespaces" "$namespaces_before" "$(namespaces)"
note "no mount, interface, namespace, cgroup, shim or table is left"
