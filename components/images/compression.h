#pragma once

#include <string_view>

#include "base/result.h"

namespace koi::images {

enum class Compression { none, gzip, zstd };

// What the first bytes of a stream (six suffice) say. Fails with unsupported for formats that are
// known and not read: the message names them.
base::Result<Compression> detect_compression(std::string_view head);

// "+gzip", "+zstd" or "": how an OCI media type ends.
std::string_view media_type_suffix(Compression compression);

// Copies `source` to `target` decompressed, until the end of `source`. Several gzip members or zstd
// frames in a row are one stream. Fails with corrupt when the stream is damaged or ends early.
// Runs in a confined process: needs memory and the two descriptors, nothing else.
base::Result<> decompress(int source, int target);

}  // namespace koi::images
