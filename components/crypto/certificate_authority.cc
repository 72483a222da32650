#include <openssl/err.h>

#include <algorithm>
#include <array>

#include "crypto/bootstrap.h"
#include "crypto/certificate.h"
#include "crypto/names.h"
#include "crypto/native.h"

namespace koi::crypto {

namespace {

using base::Code;
using base::fail;

bool set_serial(X509* certificate, base::Random& random) {
  std::array<std::uint8_t, 16> bytes{};
  random.fill(bytes);
  bytes[0] = static_cast<std::uint8_t>((bytes[0] & 0x7f) | 0x40);  // positive and never short
  const OwnedNumber number(BN_bin2bn(bytes.data(), static_cast<int>(bytes.size()), nullptr));
  return number && BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(certificate)) != nullptr;
}

bool set_time(ASN1_TIME* target, base::WallTime time) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(time).time_since_epoch().count();
  return ASN1_TIME_set(target, seconds) != nullptr;
}

bool add_extension(X509* certificate, X509* issuer, int kind, const char* value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  const OwnedExtension extension(X509V3_EXT_conf_nid(nullptr, &context, kind, value));
  return extension && X509_add_ext(certificate, extension.get(), -1) == 1;
}

struct Common {
  const Subject& subject;
  EVP_PKEY* key;
  base::WallTime not_before;
  base::WallTime not_after;
};

// What a CA and a leaf have alike, all but issuer, extensions and signature.
base::Result<OwnedX509> begin(base::Random& random, const Common& common) {
  bootstrap();
  if (common.not_after <= common.not_before) {
    return fail(Code::invalid, "the certificate would end before it begins");
  }
  auto name = make_name(common.subject);
  if (!name) return fail(std::move(name).error());
  OwnedX509 certificate(X509_new());
  auto* c = certificate.get();
  if (!certificate || X509_set_version(c, X509_VERSION_3) != 1 || !set_serial(c, random) ||
      X509_set_subject_name(c, name->get()) != 1 || X509_set_pubkey(c, common.key) != 1 ||
      !set_time(X509_getm_notBefore(c), common.not_before) ||
      !set_time(X509_getm_notAfter(c), common.not_after)) {
    return fail(openssl_error(Code::internal, "make a certificate"));
  }
  return certificate;
}

base::Result<Certificate> finish(OwnedX509 certificate, EVP_PKEY* signer) {
  if (X509_sign(certificate.get(), signer, EVP_sha256()) <= 0) {
    return fail(openssl_error(Code::internal, "sign a certificate"));
  }
  ERR_clear_error();
  return Certificate(std::make_shared<const Certificate::Native>(std::move(certificate)));
}

bool add_leaf_extensions(X509* certificate, X509* issuer, const CertificateSpec& spec) {
  std::string usage;
  if (spec.server_auth) usage += "serverAuth";
  if (spec.client_auth) usage += usage.empty() ? "clientAuth" : ",clientAuth";
  return add_extension(certificate, issuer, NID_basic_constraints, "critical,CA:FALSE") &&
         add_extension(certificate, issuer, NID_key_usage, "critical,digitalSignature") &&
         (usage.empty() || add_extension(certificate, issuer, NID_ext_key_usage, usage.c_str())) &&
         add_extension(certificate, issuer, NID_authority_key_identifier, "keyid");
}

}  // namespace

base::Result<Certificate> make_ca(base::Random& random, const PrivateKey& key, const CaSpec& spec) {
  const Subject subject{.common_name = spec.common_name, .organizations = {}};
  const Common common{subject, key.native().key.get(), spec.not_before, spec.not_after};
  auto begun = begin(random, common);
  if (!begun) return fail(std::move(begun).error());
  X509* c = begun->get();
  if (X509_set_issuer_name(c, X509_get_subject_name(c)) != 1 ||
      !add_extension(c, c, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") ||
      !add_extension(c, c, NID_key_usage, "critical,digitalSignature,keyCertSign,cRLSign") ||
      !add_extension(c, c, NID_subject_key_identifier, "hash")) {
    return fail(openssl_error(Code::internal, "make a CA certificate"));
  }
  return finish(std::move(*begun), key.native().key.get());
}

CertificateAuthority::CertificateAuthority(Certificate certificate, PrivateKey key)
    : certificate_(std::move(certificate)), key_(std::move(key)) {}

base::Result<CertificateAuthority> CertificateAuthority::make(Certificate certificate,
                                                              PrivateKey key) {
  if (!certificate.is_ca()) return fail(Code::invalid, "the certificate is not a CA's");
  if (X509_check_private_key(certificate.native().certificate.get(), key.native().key.get()) != 1) {
    return fail(openssl_error(Code::invalid, "the key is not the CA certificate's"));
  }
  return CertificateAuthority(std::move(certificate), std::move(key));
}

base::Result<Certificate> CertificateAuthority::issue(base::Random& random,
                                                      const PublicKey& subject_key,
                                                      const CertificateSpec& spec) const {
  auto ca_end = certificate_.not_after();
  if (!ca_end) return fail(std::move(ca_end).error());
  const base::WallTime end = std::min(spec.not_after, *ca_end);
  const Common common{spec.subject, subject_key.native().key.get(), spec.not_before, end};
  auto begun = begin(random, common);
  if (!begun) return fail(std::move(begun).error());
  X509* c = begun->get();
  X509* issuer = certificate_.native().certificate.get();
  if (X509_set_issuer_name(c, X509_get_subject_name(issuer)) != 1 ||
      !add_leaf_extensions(c, issuer, spec)) {
    return fail(openssl_error(Code::internal, "make a certificate"));
  }
  if (!spec.names.dns.empty() || !spec.names.ips.empty()) {
    auto names = make_names_extension(spec.names);
    if (!names) return fail(std::move(names).error());
    if (X509_add_ext(c, names->get(), -1) != 1) {
      return fail(openssl_error(Code::internal, "make a certificate"));
    }
  }
  return finish(std::move(*begun), key_.native().key.get());
}

}  // namespace koi::crypto
