#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

namespace koi::crypto {

// An ECDSA P-256 key pair, or only its public half. Immutable; any thread.
class Key {
 public:
  static base::Result<Key> generate();
  static base::Result<Key> from_private_pem(std::string_view pem);
  static base::Result<Key> from_public_pem(std::string_view pem);

  std::string private_pem() const;  // PKCS #8
  std::string public_pem() const;
  // SHA-256 over the DER form of the public key: names the key in tokens and pins.
  std::string public_digest() const;

  // ES256: the 64 bytes r and s over SHA-256 of the message (RFC 7518 section 3.4).
  base::Result<std::string> sign(std::string_view message) const;
  bool verify(std::string_view message, std::string_view signature) const;

  struct Raw;  // OpenSSL's key, for this component alone
  const Raw& raw() const { return *raw_; }
  explicit Key(std::shared_ptr<const Raw> raw) : raw_(std::move(raw)) {}

 private:
  std::shared_ptr<const Raw> raw_;
};

}  // namespace koi::crypto
