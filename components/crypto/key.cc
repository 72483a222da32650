#include "crypto/key.h"

#include <openssl/core_names.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>

#include <array>

#include "crypto/base64.h"
#include "crypto/bootstrap.h"
#include "crypto/digest.h"
#include "crypto/native.h"

namespace koi::crypto {

namespace {

using base::Code;
using base::fail;

constexpr std::size_t pem_bytes_max = 64 * 1024;

using OwnedGroup = Owned<EC_GROUP, EC_GROUP_free>;
using OwnedPoint = Owned<EC_POINT, EC_POINT_free>;
using OwnedBuilder = Owned<OSSL_PARAM_BLD, OSSL_PARAM_BLD_free>;
using OwnedParams = Owned<OSSL_PARAM, OSSL_PARAM_free>;
using OwnedContext = Owned<EVP_PKEY_CTX, EVP_PKEY_CTX_free>;

// An encrypted key must fail rather than ask on the terminal.
int no_passphrase(char*, int, int, void*) { return -1; }

// A scalar in [1, order): draws again in the one case of 2^32 that the draw is outside.
OwnedNumber draw_scalar(base::Random& random, const BIGNUM* order) {
  for (;;) {
    std::array<std::uint8_t, 32> bytes{};
    random.fill(bytes);
    OwnedNumber scalar(BN_bin2bn(bytes.data(), static_cast<int>(bytes.size()), nullptr));
    OPENSSL_cleanse(bytes.data(), bytes.size());
    if (!scalar) return nullptr;
    if (!BN_is_zero(scalar.get()) && BN_cmp(scalar.get(), order) < 0) return scalar;
  }
}

OwnedKey assemble(const BIGNUM* scalar, const std::string& point) {
  OwnedBuilder builder(OSSL_PARAM_BLD_new());
  if (!builder) return nullptr;
  auto* b = builder.get();
  if (!OSSL_PARAM_BLD_push_utf8_string(b, OSSL_PKEY_PARAM_GROUP_NAME, "P-256", 0) ||
      !OSSL_PARAM_BLD_push_octet_string(b, OSSL_PKEY_PARAM_PUB_KEY, point.data(), point.size()) ||
      !OSSL_PARAM_BLD_push_BN(b, OSSL_PKEY_PARAM_PRIV_KEY, scalar)) {
    return nullptr;
  }
  OwnedParams params(OSSL_PARAM_BLD_to_param(b));
  OwnedContext context(EVP_PKEY_CTX_new_from_name(nullptr, "EC", nullptr));
  EVP_PKEY* key = nullptr;
  if (!params || !context || EVP_PKEY_fromdata_init(context.get()) != 1 ||
      EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_KEYPAIR, params.get()) != 1) {
    return nullptr;
  }
  return OwnedKey(key);
}

base::Result<std::string> public_der(EVP_PKEY* key) {
  unsigned char* der = nullptr;
  const int size = i2d_PUBKEY(key, &der);
  if (size <= 0) return fail(openssl_error(Code::internal, "encode a public key"));
  std::string out(reinterpret_cast<const char*>(der), static_cast<std::size_t>(size));
  OPENSSL_free(der);
  return out;
}

}  // namespace

PublicKey::PublicKey(std::shared_ptr<const Native> native) : native_(std::move(native)) {}
PrivateKey::PrivateKey(std::shared_ptr<const Native> native) : native_(std::move(native)) {}

base::Result<PublicKey> PublicKey::from_pem(std::string_view pem) {
  bootstrap();
  if (pem.size() > pem_bytes_max) return fail(Code::too_large, "the public key is too large");
  const OwnedBio bio = reading(pem);
  OwnedKey key(PEM_read_bio_PUBKEY(bio.get(), nullptr, no_passphrase, nullptr));
  if (!key) return fail(openssl_error(Code::invalid, "read a public key"));
  return PublicKey(std::make_shared<const Native>(std::move(key)));
}

base::Result<PublicKey> PublicKey::from_der(std::string_view der) {
  bootstrap();
  const auto* at = reinterpret_cast<const unsigned char*>(der.data());
  const auto* const end = at + der.size();
  if (der.size() > pem_bytes_max) return fail(Code::too_large, "the public key is too large");
  OwnedKey key(d2i_PUBKEY(nullptr, &at, static_cast<long>(der.size())));
  if (!key || at != end) return fail(openssl_error(Code::invalid, "read a public key"));
  return PublicKey(std::make_shared<const Native>(std::move(key)));
}

base::Result<std::string> PublicKey::to_pem() const {
  const OwnedBio bio(BIO_new(BIO_s_mem()));
  if (!bio || PEM_write_bio_PUBKEY(bio.get(), native_->key.get()) != 1) {
    return fail(openssl_error(Code::internal, "write a public key"));
  }
  return written(bio.get());
}

base::Result<std::string> PublicKey::to_der() const { return public_der(native_->key.get()); }

base::Result<std::string> PublicKey::spki_sha256() const {
  auto der = to_der();
  if (!der) return der;
  return sha256_hex(*der);
}

bool PublicKey::is_p256() const {
  char group[64] = {};
  std::size_t size = 0;
  return EVP_PKEY_get_group_name(native_->key.get(), group, sizeof(group), &size) == 1 &&
         std::string_view(group) == "prime256v1";
}

base::Result<> PublicKey::verify(std::string_view data, std::string_view signature) const {
  const OwnedDigest context(EVP_MD_CTX_new());
  const bool ready = context && EVP_DigestVerifyInit(context.get(), nullptr, EVP_sha256(), nullptr,
                                                     native_->key.get()) == 1;
  if (!ready) return fail(openssl_error(Code::internal, "verify a signature"));
  const int good = EVP_DigestVerify(
      context.get(), reinterpret_cast<const unsigned char*>(signature.data()), signature.size(),
      reinterpret_cast<const unsigned char*>(data.data()), data.size());
  if (good != 1) return fail(openssl_error(Code::unauthorized, "the signature does not hold"));
  return {};
}

base::Result<PrivateKey> PrivateKey::generate(base::Random& random) {
  bootstrap();
  const OwnedGroup group(EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1));
  if (!group) return fail(openssl_error(Code::internal, "make a key"));
  const OwnedNumber scalar = draw_scalar(random, EC_GROUP_get0_order(group.get()));
  const OwnedPoint point(EC_POINT_new(group.get()));
  if (!scalar || !point ||
      EC_POINT_mul(group.get(), point.get(), scalar.get(), nullptr, nullptr, nullptr) != 1) {
    return fail(openssl_error(Code::internal, "make a key"));
  }
  std::string encoded(65, '\0');
  const std::size_t size =
      EC_POINT_point2oct(group.get(), point.get(), POINT_CONVERSION_UNCOMPRESSED,
                         reinterpret_cast<unsigned char*>(encoded.data()), encoded.size(), nullptr);
  OwnedKey key = size == encoded.size() ? assemble(scalar.get(), encoded) : nullptr;
  if (!key) return fail(openssl_error(Code::internal, "make a key"));
  return PrivateKey(std::make_shared<const Native>(std::move(key)));
}

base::Result<PrivateKey> PrivateKey::from_pem(std::string_view pem) {
  bootstrap();
  if (pem.size() > pem_bytes_max) return fail(Code::too_large, "the private key is too large");
  const OwnedBio bio = reading(pem);
  OwnedKey key(PEM_read_bio_PrivateKey(bio.get(), nullptr, no_passphrase, nullptr));
  if (!key) return fail(openssl_error(Code::invalid, "read a private key"));
  return PrivateKey(std::make_shared<const Native>(std::move(key)));
}

base::Result<std::string> PrivateKey::to_pem() const {
  const OwnedBio bio(BIO_new(BIO_s_mem()));
  if (!bio || PEM_write_bio_PKCS8PrivateKey(bio.get(), native_->key.get(), nullptr, nullptr, 0,
                                            nullptr, nullptr) != 1) {
    return fail(openssl_error(Code::internal, "write a private key"));
  }
  return written(bio.get());
}

base::Result<PublicKey> PrivateKey::public_key() const {
  auto der = public_der(native_->key.get());
  if (!der) return fail(std::move(der).error());
  return PublicKey::from_der(*der);
}

base::Result<std::string> PrivateKey::sign(std::string_view data) const {
  const OwnedDigest context(EVP_MD_CTX_new());
  const auto* bytes = reinterpret_cast<const unsigned char*>(data.data());
  std::size_t size = 0;
  if (!context ||
      EVP_DigestSignInit(context.get(), nullptr, EVP_sha256(), nullptr, native_->key.get()) != 1 ||
      EVP_DigestSign(context.get(), nullptr, &size, bytes, data.size()) != 1) {
    return fail(openssl_error(Code::internal, "sign"));
  }
  std::string signature(size, '\0');
  if (EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(signature.data()), &size,
                     bytes, data.size()) != 1) {
    return fail(openssl_error(Code::internal, "sign"));
  }
  signature.resize(size);
  return signature;
}

}  // namespace koi::crypto
