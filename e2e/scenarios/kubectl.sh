#!/usr/bin/env bash
# A Deployment's life in the hands of kubectl: every version that is here does the same.
set -euo pipefail
# shellcheck source=e2e/lib.sh
source "$(dirname "$0")/../lib.sh"

ensure_images
fetch_debian_kubectl || true
KUBECTL=$(find_kubectl 1.33 || find_kubectl 1.20) || { echo "SKIP: no kubectl here"; exit 1; }
start_node alpha
cp "$images/nginx.tar" "$work/nginx.tar"
"$KOI" image import --data-dir "$work/data" "$work/nginx.tar"
eventually 20 node_ready || fail "the node does not become Ready"

# Runs kubectl and fails when it warns.
quiet() {
  local out
  out=$(k "$@" 2>"$work/stderr") || { cat "$work/stderr" >&2; fail "kubectl $*"; }
  [ ! -s "$work/stderr" ] || fail "kubectl $* warns: $(cat "$work/stderr")"
  printf '%s\n' "$out"
}

life() {
  note "$("$KUBECTL" version --client 2>/dev/null | head -1)"
  expect_match "get nodes -o wide" 'alpha +Ready +control-plane.* v1\.36\.0.*192\.0\.2\.10 ' "$(quiet get nodes -o wide)"
  expect_match apply 'deployment.apps/web created' "$(quiet apply -f "$repo/e2e/fixtures/web.yaml")"
  expect_match rollout 'successfully rolled out' "$(quiet rollout status deployment/web --timeout=60s)"
  expect "three pods" 3 "$(quiet get pods -l app=web --no-headers -o wide | grep -c ' 1/1 .*Running .* alpha')"
  expect_match "apply again" 'deployment.apps/web unchanged' "$(quiet apply -f "$repo/e2e/fixtures/web.yaml")"
  quiet scale deployment/web --replicas=5 >/dev/null
  quiet rollout status deployment/web --timeout=60s >/dev/null
  expect "five pods" 5 "$(quiet get deployment web -o jsonpath='{.status.readyReplicas}')"
  quiet set image deployment/web nginx=nginx:1.23 >/dev/null
  quiet rollout status deployment/web --timeout=60s >/dev/null
  eventually 10 every_page_says 1.23 || fail "not every pod serves the new page"
  expect_match history '(^|[^0-9])2 ' "$(quiet rollout history deployment/web)"
  quiet rollout undo deployment/web >/dev/null
  quiet rollout status deployment/web --timeout=60s >/dev/null
  expect "image after undo" nginx:1.22 "$(quiet get deployment web -o jsonpath='{.spec.template.spec.containers[0].image}')"
  watch_pods
  expect_match "describe pod" 'Started +.*kubelet +(Started container|Container started)' "$(quiet describe pods -l app=web)"
  expect_match "describe deployment" 'Scaled (up|down) replica set' "$(quiet describe deployment web)"
  follow_logs
  expect_match explain 'List of environment variables|env' "$(quiet explain pod.spec.containers)"
  quiet delete -f "$repo/e2e/fixtures/web.yaml" --timeout=60s >/dev/null
  eventually 60 no_pods || fail "pods are left after delete: $(k get pods -A)"
}

# Pods that are on their way out keep their address for a while: only those that stay count.
staying_pods() {
  k get pods -l app=web -o json |
    jq -r '.items[] | select(.metadata.deletionTimestamp == null) | .metadata.name + " " + .status.podIP'
}
every_page_says() {
  local pod ip count=0
  while read -r pod ip; do
    in_node curl -sS --max-time 5 "http://$ip/" | grep -q "$1" || return 1
    count=$((count + 1))
  done < <(staying_pods)
  [ $count -eq 5 ]
}

no_pods() { [ -z "$(k get pods -l app=web -o name)" ]; }

watch_pods() {
  local pid
  in_node "$KUBECTL" --kubeconfig "$work/koi.yaml" get pods -o wide -w >"$work/watch" 2>&1 &
  pid=$!
  eventually 10 grep -q Running "$work/watch" || fail "get -w shows nothing"
  k delete pod --wait=false "$(k get pods -l app=web -o name | head -1 | cut -d/ -f2)" >/dev/null
  eventually 30 grep -q Terminating "$work/watch" || fail "get -w shows no Terminating"
  kill "$pid"
  wait "$pid" 2>/dev/null || true
  quiet rollout status deployment/web --timeout=60s >/dev/null
}

follow_logs() {
  local pod ip pid
  read -r pod ip < <(staying_pods)
  eventually 10 in_node curl -sS --max-time 5 "http://$ip/" || fail "$pod does not answer"
  in_node "$KUBECTL" --kubeconfig "$work/koi.yaml" logs -f "$pod" >"$work/logs" 2>&1 &
  pid=$!
  in_node curl -sS --max-time 5 "http://$ip/followed" >/dev/null
  eventually 10 grep -q 'GET /followed' "$work/logs" || fail "logs -f shows no request"
  kill "$pid"
  wait "$pid" 2>/dev/null || true
  expect "logs --tail" 1 "$(quiet logs --tail=1 "$pod" | wc -l)"
}

ran=0
for version in 1.27 1.33 1.36; do
  KUBECTL=$(find_kubectl "$version") || continue
  life
  ran=$((ran + 1))
done
if [ $ran -eq 0 ]; then
  KUBECTL=$(find_kubectl 1.20)
  life
fi
