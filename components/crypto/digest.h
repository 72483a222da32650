#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace koi::crypto {

// SHA-256 over bytes as they come. One thread.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;

  void update(std::string_view bytes);
  // The 32 bytes; nothing may follow.
  std::string finish();
  // The same as 64 hexadecimal digits.
  std::string finish_hex();

 private:
  struct Context;
  std::unique_ptr<Context> context_;
};

std::string sha256(std::string_view bytes);      // 32 bytes
std::string sha256_hex(std::string_view bytes);  // 64 digits
std::string to_hex(std::string_view bytes);

// Takes as long for any two texts of the same length.
bool equal_in_constant_time(std::string_view a, std::string_view b);

}  // namespace koi::crypto
