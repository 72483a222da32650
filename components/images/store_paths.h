#pragma once

#include <string>
#include <string_view>

#include "base/files.h"

namespace koi::images {

// The store's tree on disk. No other file builds these paths.
//
//   <root>/lock                  held by the one process that uses the store
//   <root>/catalog.json          names, manifests, configs and layers; written last, atomically:
//   what
//                                it does not list does not exist and is swept at the next start
//   <root>/imported.json         archives that were imported by themselves, and what they looked
//   like <root>/blobs/sha256/<hex>    manifests, configs and layers as they came
//   <root>/layers/<hex>          unpacked layers by diff id, ready as overlayfs' lower directories
//   <root>/staging/              what an import has not finished; emptied at start
class StorePaths {
 public:
  explicit StorePaths(base::Path root) : root_(std::move(root)) {}

  const base::Path& root() const { return root_; }
  base::Path lock() const { return root_ / "lock"; }
  base::Path catalog() const { return root_ / "catalog.json"; }
  base::Path imported() const { return root_ / "imported.json"; }
  base::Path blobs() const { return root_ / "blobs" / "sha256"; }
  base::Path layers() const { return root_ / "layers"; }
  base::Path staging() const { return root_ / "staging"; }

  // `digest` is "sha256:<hex>".
  base::Path blob(std::string_view digest) const { return blobs() / digest.substr(7); }
  base::Path layer(std::string_view diff_id) const { return layers() / diff_id.substr(7); }

  base::Path staged_archive() const { return staging() / "archive"; }
  base::Path staged_blobs() const { return staging() / "blobs"; }
  base::Path staged_layers() const { return staging() / "layers"; }
  base::Path trash() const { return staging() / "trash"; }

 private:
  base::Path root_;
};

}  // namespace koi::images
