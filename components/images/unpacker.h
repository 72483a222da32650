#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/files.h"
#include "base/result.h"
#include "images/untar.h"

namespace koi::images {

struct UnpackLimits {
  std::uint64_t entries_max = limits::tree_entries_max;
  std::uint64_t bytes_max = limits::tree_bytes_max;
  std::uint64_t always_allowed_bytes = limits::unpacked_bytes_always_allowed;
  std::uint64_t ratio_max = limits::unpacked_ratio_max;
};

struct Unpacked {
  std::string diff_id;             // "sha256:<hex>" of the plain tar stream
  std::uint64_t stream_bytes = 0;  // of the plain tar stream
  UntarReport tree;
};

// Turns compressed tar files into directories. Decompression and tar reading happen in two confined
// processes (see unpack_process.h); the hash of what passes between them is taken here, so neither
// can lie about what it was fed. Blocks; any thread, several at once.
class Unpacker {
 public:
  // `command` starts `unpack-layer`: {"/proc/self/exe", "unpack-layer"}. Empty: both stages run
  // as threads of this process (tests, sanitizers).
  explicit Unpacker(std::vector<std::string> command, UnpackLimits limits = {});

  // Reads `source` from its beginning (its offset moves) into the empty directory `target`. On
  // failure `target` holds rubbish for the caller to remove. Fails with corrupt, invalid, too_large
  // or unsupported for what the stream is, else with the machine's errors.
  base::Result<Unpacked> unpack(int source, const base::Path& target, TreeKind kind) const;

  // Only decompresses and hashes: diff_id and stream_bytes are set.
  base::Result<Unpacked> measure(int source) const;

 private:
  std::vector<std::string> command_;
  UnpackLimits limits_;
};

}  // namespace koi::images
