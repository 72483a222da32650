#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace koi::crypto {

namespace internal {
struct DigestState;
}

// A SHA-256 over bytes that come in pieces. One thread at a time.
class Sha256 {
 public:
  static constexpr std::size_t bytes = 32;

  Sha256();
  ~Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;

  void update(std::string_view data);
  // The 32 bytes of the digest; begins anew.
  std::string finish();
  // The same in hex.
  std::string finish_hex();

 private:
  std::unique_ptr<internal::DigestState> state_;
};

// A SHA-512 over bytes that come in pieces. One thread at a time.
class Sha512 {
 public:
  static constexpr std::size_t bytes = 64;

  Sha512();
  ~Sha512();
  Sha512(Sha512&&) noexcept;
  Sha512& operator=(Sha512&&) noexcept;

  void update(std::string_view data);
  // The 64 bytes of the digest; begins anew.
  std::string finish();
  std::string finish_hex();

 private:
  std::unique_ptr<internal::DigestState> state_;
};

// Of one text. Raw bytes, or hex.
std::string sha256(std::string_view data);
std::string sha256_hex(std::string_view data);
std::string sha512_hex(std::string_view data);

// HMAC-SHA256, 32 raw bytes.
std::string hmac_sha256(std::string_view key, std::string_view data);

// Compares secrets: the time taken depends on the lengths only.
bool constant_time_equal(std::string_view left, std::string_view right);

}  // namespace koi::crypto
