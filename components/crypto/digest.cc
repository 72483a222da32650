#include "crypto/digest.h"

#include <openssl/crypto.h>
#include <openssl/hmac.h>

#include "base/check.h"
#include "crypto/base64.h"
#include "crypto/bootstrap.h"
#include "crypto/native.h"

namespace koi::crypto {

namespace internal {

// Digests fail only when memory is exhausted or the library is broken.
struct DigestState {
  explicit DigestState(const EVP_MD* type_in) : type(type_in), context(EVP_MD_CTX_new()) {
    bootstrap();
    begin();
  }

  void begin() {
    CHECK_THAT(context && EVP_DigestInit_ex(context.get(), type, nullptr) == 1,
               "a digest could not begin");
  }

  void update(std::string_view data) {
    CHECK_THAT(EVP_DigestUpdate(context.get(), data.data(), data.size()) == 1,
               "a digest could not go on");
  }

  std::string finish() {
    unsigned char out[EVP_MAX_MD_SIZE];
    unsigned int size = 0;
    CHECK_THAT(EVP_DigestFinal_ex(context.get(), out, &size) == 1, "a digest could not end");
    begin();
    return std::string(reinterpret_cast<const char*>(out), size);
  }

  const EVP_MD* type;
  OwnedDigest context;
};

}  // namespace internal

Sha256::Sha256() : state_(std::make_unique<internal::DigestState>(EVP_sha256())) {}
Sha256::~Sha256() = default;
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;
void Sha256::update(std::string_view data) { state_->update(data); }
std::string Sha256::finish() { return state_->finish(); }
std::string Sha256::finish_hex() { return hex_encode(state_->finish()); }

Sha512::Sha512() : state_(std::make_unique<internal::DigestState>(EVP_sha512())) {}
Sha512::~Sha512() = default;
Sha512::Sha512(Sha512&&) noexcept = default;
Sha512& Sha512::operator=(Sha512&&) noexcept = default;
void Sha512::update(std::string_view data) { state_->update(data); }
std::string Sha512::finish() { return state_->finish(); }
std::string Sha512::finish_hex() { return hex_encode(state_->finish()); }

std::string sha256(std::string_view data) {
  Sha256 hash;
  hash.update(data);
  return hash.finish();
}

std::string sha256_hex(std::string_view data) { return hex_encode(sha256(data)); }

std::string sha512_hex(std::string_view data) {
  Sha512 hash;
  hash.update(data);
  return hash.finish_hex();
}

std::string hmac_sha256(std::string_view key, std::string_view data) {
  bootstrap();
  unsigned char out[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  const auto* result =
      HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
           reinterpret_cast<const unsigned char*>(data.data()), data.size(), out, &size);
  CHECK_THAT(result != nullptr, "an HMAC could not be computed");
  return std::string(reinterpret_cast<const char*>(out), size);
}

bool constant_time_equal(std::string_view left, std::string_view right) {
  return left.size() == right.size() && CRYPTO_memcmp(left.data(), right.data(), left.size()) == 0;
}

}  // namespace koi::crypto
