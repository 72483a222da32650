#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "images/limits.h"

namespace koi::images {

enum class TreeKind {
  layer,    // of an image: ownership, modes, times, attributes and whiteouts matter
  archive,  // around images: only names and bytes of files and links matter
};

struct UntarOptions {
  TreeKind kind = TreeKind::layer;
  bool keep_ownership = true;
  std::uint64_t entries_max = limits::tree_entries_max;
  std::uint64_t bytes_max = limits::tree_bytes_max;  // of file sizes, holes included
};

struct UntarReport {
  std::uint64_t entries = 0;
  std::uint64_t bytes = 0;            // sum of the files' sizes
  std::uint64_t devices_skipped = 0;  // device nodes are never made: containers get their own /dev
  std::vector<std::string> opaque_directories;  // for mark_opaque()
};

// Unpacks the plain tar stream of `source`, read to its end, into the empty directory `root`.
// Fails with corrupt (damaged or short), invalid (an entry that must not be) or too_large; what was
// written until then is the caller's to remove. Runs in a confined process: it uses nothing but
// memory and the two descriptors.
base::Result<UntarReport> untar(int source, int root, const UntarOptions& options);

}  // namespace koi::images
