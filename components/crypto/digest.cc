#include "crypto/digest.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "base/check.h"

namespace koi::crypto {

struct Sha256::Context {
  Context() : raw(EVP_MD_CTX_new()) {}
  ~Context() { EVP_MD_CTX_free(raw); }
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;
  EVP_MD_CTX* raw;
};

Sha256::Sha256() : context_(std::make_unique<Context>()) {
  CHECK_THAT(EVP_DigestInit_ex(context_->raw, EVP_sha256(), nullptr) == 1, "SHA-256 is built in");
}

Sha256::~Sha256() = default;
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;

void Sha256::update(std::string_view bytes) {
  EVP_DigestUpdate(context_->raw, bytes.data(), bytes.size());
}

std::string Sha256::finish() {
  std::string digest(32, '\0');
  unsigned int size = 0;
  EVP_DigestFinal_ex(context_->raw, reinterpret_cast<unsigned char*>(digest.data()), &size);
  return digest;
}

std::string Sha256::finish_hex() { return to_hex(finish()); }

std::string sha256(std::string_view bytes) {
  Sha256 digest;
  digest.update(bytes);
  return digest.finish();
}

std::string sha256_hex(std::string_view bytes) { return to_hex(sha256(bytes)); }

std::string to_hex(std::string_view bytes) {
  static constexpr char digits[] = "0123456789abcdef";
  std::string text;
  text.reserve(bytes.size() * 2);
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    text += digits[byte >> 4];
    text += digits[byte & 0x0f];
  }
  return text;
}

bool equal_in_constant_time(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace koi::crypto
