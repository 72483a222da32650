# shellcheck shell=bash
# Makes container images with tar, gzip and sha256sum alone. Sourced by the build-* scripts.

images_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
package_cache=$images_root/build/images/packages

# fetch_packages DIR PACKAGE...: unpacks Debian packages into DIR, from the cache where possible.
fetch_packages() {
  local target=$1 package deb
  shift
  mkdir -p "$package_cache" "$target"
  for package in "$@"; do
    deb=$(find "$package_cache" -name "${package}_*.deb" -print -quit)
    if [[ -z $deb ]]; then
      (cd "$package_cache" && apt-get -q -o APT::Sandbox::User=root download "$package" >&2) || {
        echo "cannot download package '$package': run 'apt-get update' first" >&2
        return 1
      }
      deb=$(find "$package_cache" -name "${package}_*.deb" -print -quit)
    fi
    dpkg -x "$deb" "$target"
  done
}

digest_of() { sha256sum "$1" | cut -d' ' -f1; }

# make_layer ROOT FILE: the same tree gives the same bytes, whoever runs this and when.
make_layer() {
  tar --create --file "$2" --directory "$1" --sort=name --mtime=@0 --numeric-owner \
    --owner=0 --group=0 --format=posix \
    --pax-option=exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime .
}

# put_blob LAYOUT FILE: moves FILE into an OCI layout and prints "HEX SIZE".
put_blob() {
  local hex
  hex=$(digest_of "$2")
  mkdir -p "$1/blobs/sha256"
  mv "$2" "$1/blobs/sha256/$hex"
  echo "$hex $(stat -c %s "$1/blobs/sha256/$hex")"
}

# image_config CONFIG_FIELDS DIFF_ID...: the config of an image whose "config" object is given.
image_config() {
  local fields=$1 list
  shift
  list=$(printf ',"sha256:%s"' "$@")
  printf '{"architecture":"amd64","os":"linux","created":"1970-01-01T00:00:00Z",'
  printf '"config":{%s},"rootfs":{"type":"layers","diff_ids":[%s]}}' "$fields" "${list#,}"
}
