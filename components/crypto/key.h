#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/random.h"
#include "base/result.h"

namespace koi::crypto {

// A public key of any algorithm that OpenSSL reads. Cheap to copy. Any thread.
class PublicKey {
 public:
  // "-----BEGIN PUBLIC KEY-----".
  static base::Result<PublicKey> from_pem(std::string_view pem);
  // SubjectPublicKeyInfo.
  static base::Result<PublicKey> from_der(std::string_view der);

  base::Result<std::string> to_pem() const;
  base::Result<std::string> to_der() const;
  // Hex SHA-256 of the SubjectPublicKeyInfo: what pins and key ids are made of.
  base::Result<std::string> spki_sha256() const;
  bool is_p256() const;

  // Fails with unauthorized when the signature (DER; with SHA-256) is not this key's.
  base::Result<> verify(std::string_view data, std::string_view signature) const;

  struct Native;
  explicit PublicKey(std::shared_ptr<const Native> native);
  const Native& native() const { return *native_; }

 private:
  std::shared_ptr<const Native> native_;
};

// An ECDSA P-256 key, or another kind that was read from PEM. Cheap to copy. Any thread.
class PrivateKey {
 public:
  // A P-256 key made from the random source alone: the same seed gives the same key.
  static base::Result<PrivateKey> generate(base::Random& random);
  // PKCS #8 or SEC 1, unencrypted.
  static base::Result<PrivateKey> from_pem(std::string_view pem);

  // PKCS #8, unencrypted: write it to files of mode 0600 only.
  base::Result<std::string> to_pem() const;
  base::Result<PublicKey> public_key() const;
  // Signs with SHA-256; DER for ECDSA.
  base::Result<std::string> sign(std::string_view data) const;

  struct Native;
  explicit PrivateKey(std::shared_ptr<const Native> native);
  const Native& native() const { return *native_; }

 private:
  std::shared_ptr<const Native> native_;
};

}  // namespace koi::crypto
