#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace koi::images {

// "sha256:<hex>" of `bytes`.
std::string digest_of(std::string_view bytes);

struct FileDigest {
  std::string digest;
  std::uint64_t size_bytes = 0;
};
// Of a whole file, from its beginning; the file's offset does not move. Blocks for about 0.6 s per
// GB.
base::Result<FileDigest> digest_of_file(int file);

// As digest_of_file, writing the bytes to `target` as well.
base::Result<FileDigest> copy_with_digest(int source, int target);

}  // namespace koi::images
