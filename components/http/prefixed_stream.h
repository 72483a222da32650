#pragma once

#include <memory>
#include <string>

#include "http/byte_stream.h"

namespace koi::http {

// A stream of which some bytes were read already and are to be read again. For upgrades.
std::unique_ptr<ByteStream> make_prefixed_stream(std::string prefix,
                                                 std::unique_ptr<ByteStream> stream);

}  // namespace koi::http
