#include "images/digest.h"

#include <unistd.h>

#include <cerrno>
#include <vector>

#include "crypto/digest.h"
#include "linux/fd.h"

namespace koi::images {

std::string digest_of(std::string_view bytes) { return "sha256:" + crypto::sha256_hex(bytes); }

base::Result<FileDigest> copy_with_digest(int source, int target) {
  crypto::Sha256 hash;
  FileDigest result;
  std::vector<char> buffer(256 * 1024);
  while (true) {
    const ssize_t count =
        ::pread(source, buffer.data(), buffer.size(), static_cast<off_t>(result.size_bytes));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return linux::fail_errno("read blob");
    if (count == 0) break;
    const std::string_view piece(buffer.data(), static_cast<std::size_t>(count));
    hash.update(piece);
    result.size_bytes += piece.size();
    if (target < 0) continue;
    if (auto written = linux::write_all(target, piece); !written) {
      return base::fail(std::move(written).error().during("copy blob"));
    }
  }
  result.digest = "sha256:" + hash.finish_hex();
  return result;
}

base::Result<FileDigest> digest_of_file(int file) { return copy_with_digest(file, -1); }

}  // namespace koi::images
