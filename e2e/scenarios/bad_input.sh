#!/usr/bin/env bash
# Bad bodies, bad credentials, bad archives and bad machines get clear answers and lose nothing.
set -euo pipefail
# shellcheck source=e2e/lib.sh
source "$(dirname "$0")/../lib.sh"

ensure_images
start_node alpha
tls=$work/data/server/tls
url=https://127.0.0.1:6443
maps=$url/api/v1/namespaces/default/configmaps

# call METHOD URL [curl options...]: prints body, then the code on a line of its own.
call() {
  local method=$1 target=$2
  shift 2
  in_node curl -sS --max-time 20 -w '\n%{http_code}' --cacert "$tls/server-ca.crt" \
    --cert "$tls/admin.crt" --key "$tls/admin.key" -X "$method" "$target" "$@"
}
anonymous() { in_node curl -sS --max-time 20 -w '\n%{http_code}' --cacert "$tls/server-ca.crt" "$@"; }
code() { tail -n 1 <<<"$1"; }
field() { head -n -1 <<<"$1" | jq -r "$2"; }
json=(-H 'Content-Type: application/json')

out=$(call POST "$maps" "${json[@]}" -d '{"metadata":{"name":"kept"},"data":{"a":"b"}}')
expect "a good object" 201 "$(code "$out")"

out=$(call POST "$maps" "${json[@]}" -d '{"metadata":{"name":"x"},')
expect "malformed JSON" 400 "$(code "$out")"
expect "malformed JSON: kind" Status "$(field "$out" .kind)"
out=$(call POST "$maps" -H 'Content-Type: application/yaml' --data-binary $'metadata:\n  name: [')
expect "malformed YAML" 400 "$(code "$out")"
out=$(call POST "$maps" -H 'Content-Type: application/vnd.kubernetes.protobuf' --data-binary $'k8s\x01broken')
expect "malformed protobuf" 400 "$(code "$out")"
out=$(call POST "$maps" -H 'Content-Type: text/csv' -d 'a,b')
expect "unknown media type" 415 "$(code "$out")"
out=$(call POST "$maps" "${json[@]}" -d '{"metadata":{"name":"x"},"data":{"a":7}}')
expect "wrong type" 400 "$(code "$out")"

unknown='{"metadata":{"name":"NAME"},"dta":{"a":"b"}}'
out=$(call POST "$maps?fieldValidation=Strict" "${json[@]}" -d "${unknown/NAME/strict}")
expect "unknown field, strict" 400 "$(code "$out")"
expect_match "unknown field, strict" 'unknown field "dta"' "$(field "$out" .message)"
out=$(call POST "$maps?fieldValidation=Ignore" "${json[@]}" -d "${unknown/NAME/ignore}")
expect "unknown field, ignored" 201 "$(code "$out")"
out=$(call POST "$maps?fieldValidation=Warn" "${json[@]}" -D "$work/headers" -d "${unknown/NAME/warn}")
expect "unknown field, warned" 201 "$(code "$out")"
expect_match "the warning" '299 - "unknown field \\"dta\\""' "$(grep -i '^warning:' "$work/headers")"

head -c 4000000 /dev/zero | tr '\0' x >"$work/large"
out=$(call POST "$maps" "${json[@]}" --data-binary @"$work/large")
expect "a body over 3 MiB" 413 "$(code "$out")"
out=$(call POST "$url/apis/apps/v1/namespaces/default/deployments" "${json[@]}" -d '{"metadata":{"name":"web"},"spec":{}}')
expect "an invalid object" 422 "$(code "$out")"
expect_match "its causes" 'spec\.selector' "$(field "$out" '[.details.causes[].field] | join(" ")')"
note "bad bodies are refused, each with its Status"

expect "anonymous" 403 "$(code "$(anonymous "$maps")")"
expect "wrong token" 401 "$(code "$(anonymous -H 'Authorization: Bearer nonsense' "$maps")")"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 -subj /O=system:masters/CN=mallory \
  -keyout "$work/mallory.key" -out "$work/mallory.crt" 2>/dev/null
expect "a certificate of another authority" 401 \
  "$(code "$(anonymous --cert "$work/mallory.crt" --key "$work/mallory.key" "$maps")")"
expect "healthz needs no credentials" 200 "$(code "$(anonymous "$url/healthz")")"
note "wrong tokens and certificates are refused"

# A layer that does not match its digest, and an archive that ends early.
mkdir "$work/layout"
tar -xf "$images/busybox.tar" -C "$work/layout"
blob=$(find "$work/layout" -type f -size +100k | head -1)
printf 'tampered' | dd of="$blob" bs=1 seek=70000 conv=notrunc status=none
if out=$("$KOI" image import --data-dir "$work/data" "$work/layout" 2>&1); then
  fail "a tampered image was imported"
fi
expect_match "tampered image" 'layer .*mismatch: expected sha256:' "$out"
head -c 1000000 "$images/busybox.tar" >"$work/short.tar"
if out=$("$KOI" image import --data-dir "$work/data" "$work/short.tar" 2>&1); then fail "a truncated image was imported"; fi
expect "no image came in" "" "$("$KOI" image ls --data-dir "$work/data")"
note "a tampered and a truncated image change nothing"

# refused PATTERN COMMAND...: ends by itself within 20 s, fails, and says why.
refused() {
  local pattern=$1 out
  shift
  if out=$(in_node timeout 20 "$@" 2>&1); then fail "'$*' succeeded"; fi
  expect_match "$*" "$pattern" "$out"
}
other=("$KOI" server --config "$work/config.yaml" --write-kubeconfig "$work/other.yaml" --node-name beta --disable-agent)
refused 'another koi' "${other[@]}" --data-dir "$work/data" --https-listen-port 7443
refused '6443.*(in use|taken)|(in use|taken).*6443' "${other[@]}" --data-dir "$work/second"
refused "unknown option 'node-nam', did you mean 'node-name'" "$KOI" server --node-nam x
mkdir "$work/full" "$work/readonly"
mount -t tmpfs -o size=64k tmpfs "$work/full"
refused 'No space left|disk is full' "${other[@]}" --data-dir "$work/full" --https-listen-port 7443
umount "$work/full"
mount -t tmpfs -o ro tmpfs "$work/readonly"
refused 'Read-only file system|does not let koi write' "${other[@]}" --data-dir "$work/readonly" --https-listen-port 7443
umount "$work/readonly"
note "a second koi, a taken port, a full and a read-only disk are refused with advice"

expect "nothing acknowledged is lost" b "$(field "$(call GET "$maps/kept")" .data.a)"
stop_node
cp "$work/data/server/db/state.db" "$work/state.db"
pages=$(($(stat -c %s "$work/state.db") / 4096))
for ((page = 4; page < pages; page++)); do
  head -c 1000 /dev/urandom |
    dd of="$work/data/server/db/state.db" bs=1 seek=$((page * 4096 + 3000)) conv=notrunc status=none
done
refused 'damaged|checksum' "${other[@]}" --data-dir "$work/data"
cp "$work/state.db" "$work/data/server/db/state.db"
run_node
expect "restored" b "$(field "$(call GET "$maps/kept")" .data.a)"
note "a damaged database is refused, and works again once restored"
