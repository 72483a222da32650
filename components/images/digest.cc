#include "images/digest.h"

#include <openssl/evp.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <vector>

#include "base/check.h"
#include "linux/fd.h"

namespace koi::images {

struct Digester::State {
  struct Free {
    void operator()(EVP_MD_CTX* old) const { ::EVP_MD_CTX_free(old); }
  };
  std::unique_ptr<EVP_MD_CTX, Free> context{::EVP_MD_CTX_new()};
};

Digester::Digester() : state_(std::make_unique<State>()) {
  CHECK_THAT(::EVP_DigestInit_ex(state_->context.get(), ::EVP_sha256(), nullptr) == 1, "sha256");
}
Digester::~Digester() = default;
Digester::Digester(Digester&&) noexcept = default;
Digester& Digester::operator=(Digester&&) noexcept = default;

void Digester::update(std::string_view bytes) {
  ::EVP_DigestUpdate(state_->context.get(), bytes.data(), bytes.size());
}

std::string Digester::finish() {
  std::array<unsigned char, 32> raw{};
  unsigned length = 0;
  ::EVP_DigestFinal_ex(state_->context.get(), raw.data(), &length);
  std::string text = "sha256:";
  for (const unsigned char byte : raw) {
    text += "0123456789abcdef"[byte >> 4];
    text += "0123456789abcdef"[byte & 15];
  }
  return text;
}

std::string digest_of(std::string_view bytes) {
  Digester digester;
  digester.update(bytes);
  return digester.finish();
}

base::Result<FileDigest> copy_with_digest(int source, int target) {
  Digester digester;
  FileDigest result;
  std::vector<char> buffer(256 * 1024);
  while (true) {
    const ssize_t count =
        ::pread(source, buffer.data(), buffer.size(), static_cast<off_t>(result.size_bytes));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return linux::fail_errno("read blob");
    if (count == 0) break;
    const std::string_view piece(buffer.data(), static_cast<std::size_t>(count));
    digester.update(piece);
    result.size_bytes += piece.size();
    if (target < 0) continue;
    if (auto written = linux::write_all(target, piece); !written) {
      return base::fail(std::move(written).error().during("copy blob"));
    }
  }
  result.digest = digester.finish();
  return result;
}

base::Result<FileDigest> digest_of_file(int file) { return copy_with_digest(file, -1); }

}  // namespace koi::images
