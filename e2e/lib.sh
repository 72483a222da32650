# shellcheck shell=bash
# What every scenario needs: a node in a network namespace of its own, clients to talk to it, checks,
# and a clean-up that proves that nothing is left. Sourced, with KOI set to the executable.

repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
KOI=${KOI:-$repo/build/release/koi}
images=$repo/build/images
export repo images

fail() {
  echo "FAILED: $*" >&2
  exit 1
}

note() { echo "  - $*"; }

# expect NAME WANT GOT
expect() {
  [ "$2" = "$3" ] || fail "$1: expected '$2', got '$3'"
}

# expect_match NAME PATTERN TEXT
expect_match() {
  grep -Eq -- "$2" <<<"$3" || fail "$1: '$2' does not match: $3"
}

# eventually SECONDS COMMAND...: retries until the command succeeds.
eventually() {
  local deadline=$((SECONDS + $1))
  shift
  until "$@" >/dev/null 2>&1; do
    [ $SECONDS -lt $deadline ] || return 1
    read -rt 0.1 <> <(:) || true
  done
}

# A kubectl of a minor version, from the machine's folders; skips the caller's use when absent.
find_kubectl() {
  local version=$1 candidate
  for candidate in "kubectl.$version" "/usr/lib/google-cloud-sdk/bin/kubectl.$version" \
    "$repo/build/clients/kubectl.$version"; do
    command -v "$candidate" 2>/dev/null && return 0
  done
  return 1
}

# Debian's own kubectl (1.20): unpacked, not installed.
fetch_debian_kubectl() {
  local target=$repo/build/clients/kubectl.1.20
  [ -x "$target" ] && return 0
  mkdir -p "$repo/build/clients/deb"
  (cd "$repo/build/clients/deb" && apt-get download -qq kubernetes-client >/dev/null 2>&1 &&
    dpkg -x kubernetes-client_*.deb . && cp usr/bin/kubectl "$target")
}

ensure_images() {
  local name
  mkdir -p "$images"
  for name in busybox nginx; do
    [ -s "$images/$name.tar" ] || "$repo/e2e/images/build-$name" "$images/$name.tar" >/dev/null
  done
}

# start_node NAME [server options...]: makes the namespace and starts koi in it.
start_node() {
  node=$1
  shift
  netns=koi-e2e-$node-$$
  work=$(mktemp -d "${TMPDIR:-/tmp}/koi-e2e-$node-XXXXXX")
  ip netns add "$netns"
  ip -n "$netns" link set lo up
  ip -n "$netns" link add uplink type veth peer name outside
  ip -n "$netns" addr add 192.0.2.10/24 dev uplink
  ip -n "$netns" link set uplink up
  ip -n "$netns" link set outside up
  ip -n "$netns" route add default via 192.0.2.1
  mkdir -p "$work/data/agent/images"
  : >"$work/config.yaml"
  trap 'clean_up' EXIT
  run_node "$@"
}

# (Re)starts koi in the namespace; returns once the API is ready.
run_node() {
  # shellcheck disable=SC2024
  nsenter --net="/run/netns/$netns" "$KOI" server --data-dir "$work/data" --node-name "$node" \
    --config "$work/config.yaml" --write-kubeconfig "$work/koi.yaml" "$@" >>"$work/koi.log" 2>&1 &
  koi_pid=$!
  eventually 20 api_ready || { tail -20 "$work/koi.log" >&2; fail "koi did not become ready"; }
}

api_ready() {
  kill -0 "$koi_pid" && in_node curl -sfk --max-time 2 https://127.0.0.1:6443/readyz
}

# Unlike `ip netns exec`, this leaves /sys as it is: control groups are mounted there.
in_node() { nsenter --net="/run/netns/$netns" "$@"; }

k() { in_node "${KUBECTL:?}" --kubeconfig "$work/koi.yaml" "$@"; }

node_ready() { [ "$(k get node "$node" -o jsonpath='{.status.conditions[?(@.type=="Ready")].status}')" = True ]; }

stop_node() {
  kill "$koi_pid" 2>/dev/null || return 0
  wait "$koi_pid" || true
}

# The control group that koi gives this node's pods.
cgroup_name() { echo "koi-$(printf %s "$work/data" | sha256sum | cut -c1-8)"; }

# What koi made on the machine for this node, one line each.
leftovers() {
  grep -F "$work/" /proc/self/mountinfo || true
  in_node ip -o link | grep -vE ': (lo|uplink|outside)[@:]' || true
  in_node nft list tables | grep koi || true
  pgrep -af "$work/data" || true
  find /sys/fs/cgroup -type d -path "*/$(cgroup_name)*" 2>/dev/null || true
}

clean_up() {
  local status=$?
  if [ $status -ne 0 ] && [ -f "$work/koi.log" ]; then
    echo "--- last lines of koi's log" >&2
    tail -30 "$work/koi.log" >&2
  fi
  stop_node
  "$KOI" killall --data-dir "$work/data" >/dev/null 2>&1 || true
  local pid
  for pid in $(pgrep -f "$work/data" || true); do kill -9 "$pid" 2>/dev/null || true; done
  local mount
  while read -r mount; do
    umount -l "$mount" || true
  done < <(grep -F "$work/" /proc/self/mountinfo | cut -d' ' -f5 | sort -r)
  ip netns del "$netns" 2>/dev/null || true
  rm -rf "$work"
  return $status
}
