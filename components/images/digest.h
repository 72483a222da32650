#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

namespace koi::images {

// SHA-256 of a stream, in pieces.
class Digester {
 public:
  Digester();
  ~Digester();
  Digester(Digester&&) noexcept;
  Digester& operator=(Digester&&) noexcept;

  void update(std::string_view bytes);
  // "sha256:<hex>" of everything until now. Once.
  std::string finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

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
