#include "crypto/key.h"

#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include <array>

#include "crypto/digest.h"
#include "crypto/openssl_handles.h"

namespace koi::crypto {

namespace {

using base::Code;
using base::Result;

constexpr std::size_t coordinate_bytes = 32;

bool is_p256(EVP_PKEY* pkey) {
  std::array<char, 32> group{};
  std::size_t size = 0;
  return EVP_PKEY_get_base_id(pkey) == EVP_PKEY_EC &&
         EVP_PKEY_get_group_name(pkey, group.data(), group.size(), &size) == 1 &&
         std::string_view(group.data(), size) == "prime256v1";
}

Result<Key> adopt(EVP_PKEY* raw, std::string_view action) {
  Handle<EVP_PKEY> pkey(raw);
  if (!pkey) return base::fail(openssl_error(action));
  if (!is_p256(pkey.get())) {
    return base::fail(Code::invalid, std::string(action) + ": not an ECDSA P-256 key");
  }
  auto holder = std::make_shared<Key::Raw>();
  holder->pkey = std::move(pkey);
  return Key(std::move(holder));
}

}  // namespace

base::Error openssl_error(std::string_view action) {
  std::array<char, 200> text{"unknown reason"};
  if (const auto code = ERR_get_error(); code != 0)
    ERR_error_string_n(code, text.data(), text.size());
  ERR_clear_error();
  return {Code::invalid, std::string(action) + ": " + text.data()};
}

Handle<BIO> read_bio(std::string_view text) {
  return Handle<BIO>(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

std::string bio_text(BIO& bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(&bio, &data);
  return std::string(data, static_cast<std::size_t>(size));
}

Result<Key> Key::generate() {
  return adopt(EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256"), "generate key");
}

Result<Key> Key::from_private_pem(std::string_view pem) {
  const auto bio = read_bio(pem);
  // No passphrase is ever asked for: the callback would read from a terminal.
  const auto refuse = [](char*, int, int, void*) { return 0; };
  return adopt(PEM_read_bio_PrivateKey(bio.get(), nullptr, refuse, nullptr), "read private key");
}

Result<Key> Key::from_public_pem(std::string_view pem) {
  const auto bio = read_bio(pem);
  return adopt(PEM_read_bio_PUBKEY(bio.get(), nullptr, nullptr, nullptr), "read public key");
}

std::string Key::private_pem() const {
  const Handle<BIO> bio(BIO_new(BIO_s_mem()));
  PEM_write_bio_PKCS8PrivateKey(bio.get(), raw_->pkey.get(), nullptr, nullptr, 0, nullptr, nullptr);
  return bio_text(*bio);
}

std::string Key::public_pem() const {
  const Handle<BIO> bio(BIO_new(BIO_s_mem()));
  PEM_write_bio_PUBKEY(bio.get(), raw_->pkey.get());
  return bio_text(*bio);
}

std::string Key::public_digest() const {
  unsigned char* der = nullptr;
  const int size = i2d_PUBKEY(raw_->pkey.get(), &der);
  if (size <= 0) return {};
  std::string digest = sha256({reinterpret_cast<char*>(der), static_cast<std::size_t>(size)});
  OPENSSL_free(der);
  return digest;
}

Result<std::string> Key::sign(std::string_view message) const {
  const Handle<EVP_MD_CTX> context(EVP_MD_CTX_new());
  std::array<unsigned char, 128> der{};
  std::size_t size = der.size();
  const bool made =
      EVP_DigestSignInit(context.get(), nullptr, EVP_sha256(), nullptr, raw_->pkey.get()) == 1 &&
      EVP_DigestSign(context.get(), der.data(), &size,
                     reinterpret_cast<const unsigned char*>(message.data()), message.size()) == 1;
  if (!made) return base::fail(openssl_error("sign"));
  const unsigned char* at = der.data();
  ECDSA_SIG* parsed = d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(size));
  if (parsed == nullptr) return base::fail(openssl_error("sign"));
  std::string signature(2 * coordinate_bytes, '\0');
  auto* out = reinterpret_cast<unsigned char*>(signature.data());
  BN_bn2binpad(ECDSA_SIG_get0_r(parsed), out, coordinate_bytes);
  BN_bn2binpad(ECDSA_SIG_get0_s(parsed), out + coordinate_bytes, coordinate_bytes);
  ECDSA_SIG_free(parsed);
  return signature;
}

bool Key::verify(std::string_view message, std::string_view signature) const {
  if (signature.size() != 2 * coordinate_bytes) return false;
  const auto* bytes = reinterpret_cast<const unsigned char*>(signature.data());
  ECDSA_SIG* parsed = ECDSA_SIG_new();
  ECDSA_SIG_set0(parsed, BN_bin2bn(bytes, coordinate_bytes, nullptr),
                 BN_bin2bn(bytes + coordinate_bytes, coordinate_bytes, nullptr));
  unsigned char* der = nullptr;
  const int size = i2d_ECDSA_SIG(parsed, &der);
  ECDSA_SIG_free(parsed);
  if (size <= 0) return false;
  const Handle<EVP_MD_CTX> context(EVP_MD_CTX_new());
  const bool valid =
      EVP_DigestVerifyInit(context.get(), nullptr, EVP_sha256(), nullptr, raw_->pkey.get()) == 1 &&
      EVP_DigestVerify(context.get(), der, static_cast<std::size_t>(size),
                       reinterpret_cast<const unsigned char*>(message.data()), message.size()) == 1;
  OPENSSL_free(der);
  ERR_clear_error();
  return valid;
}

}  // namespace koi::crypto
