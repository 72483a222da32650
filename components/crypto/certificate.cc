#include "crypto/certificate.h"

#include <arpa/inet.h>
#include <openssl/pem.h>

#include <array>

#include "crypto/openssl_handles.h"

namespace koi::crypto {

namespace {

using base::Code;
using base::Result;

bool add_name(X509_NAME* name, const char* field, const std::string& text) {
  return X509_NAME_add_entry_by_txt(name, field, MBSTRING_UTF8,
                                    reinterpret_cast<const unsigned char*>(text.data()),
                                    static_cast<int>(text.size()), -1, 0) == 1;
}

bool set_subject(X509_NAME* name, const CertificateRequest& request) {
  bool done = true;
  for (const std::string& organization : request.organizations) {
    done = done && add_name(name, "O", organization);
  }
  return done && add_name(name, "CN", request.common_name);
}

bool set_time(ASN1_TIME* field, base::WallTime time) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(time).time_since_epoch().count();
  return ASN1_TIME_set(field, static_cast<time_t>(seconds)) != nullptr;
}

std::string alternative_names(const CertificateRequest& request) {
  std::string text;
  for (const std::string& name : request.dns_names)
    text += (text.empty() ? "" : ",") + ("DNS:" + name);
  for (const std::string& ip : request.ip_addresses)
    text += (text.empty() ? "" : ",") + ("IP:" + ip);
  return text;
}

Handle<X509_EXTENSION> make_extension(int id, const std::string& value) {
  return Handle<X509_EXTENSION>(X509V3_EXT_conf_nid(nullptr, nullptr, id, value.c_str()));
}

bool add_extension(X509* certificate, int id, const std::string& value) {
  const auto extension = make_extension(id, value);
  return extension && X509_add_ext(certificate, extension.get(), -1) == 1;
}

bool add_key_identifiers(X509* certificate, X509* authority) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, authority, certificate, nullptr, nullptr, 0);
  for (const auto& [id, value] : {std::pair{NID_subject_key_identifier, "hash"},
                                  std::pair{NID_authority_key_identifier, "keyid"}}) {
    const Handle<X509_EXTENSION> extension(X509V3_EXT_conf_nid(nullptr, &context, id, value));
    if (!extension || X509_add_ext(certificate, extension.get(), -1) != 1) return false;
  }
  return true;
}

std::string usages(const CertificateRequest& request) {
  if (request.for_server && request.for_client) return "serverAuth,clientAuth";
  return request.for_server ? "serverAuth" : "clientAuth";
}

Handle<X509> new_certificate(const Key& subject, const CertificateRequest& request,
                             base::Random& random) {
  Handle<X509> certificate(X509_new());
  // A positive serial number of 127 random bits.
  std::array<std::uint8_t, 16> serial{};
  random.fill(serial);
  serial[0] = static_cast<std::uint8_t>((serial[0] & 0x7f) | 0x40);
  BIGNUM* number = BN_bin2bn(serial.data(), static_cast<int>(serial.size()), nullptr);
  BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate.get()));
  BN_free(number);
  const bool made = X509_set_version(certificate.get(), X509_VERSION_3) == 1 &&
                    set_subject(X509_get_subject_name(certificate.get()), request) &&
                    set_time(X509_getm_notBefore(certificate.get()), request.not_before) &&
                    set_time(X509_getm_notAfter(certificate.get()), request.not_after) &&
                    X509_set_pubkey(certificate.get(), subject.raw().pkey.get()) == 1;
  return made ? std::move(certificate) : nullptr;
}

Result<std::string> sign(X509& certificate, const Key& key) {
  if (X509_sign(&certificate, key.raw().pkey.get(), EVP_sha256()) == 0) {
    return base::fail(openssl_error("sign certificate"));
  }
  const Handle<BIO> bio(BIO_new(BIO_s_mem()));
  PEM_write_bio_X509(bio.get(), &certificate);
  return bio_text(*bio);
}

Handle<X509> parse_certificate(std::string_view pem) {
  const auto bio = read_bio(pem);
  return Handle<X509>(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
}

std::vector<std::string> names_of(const X509_NAME* subject, int id) {
  std::vector<std::string> names;
  for (int at = X509_NAME_get_index_by_NID(subject, id, -1); at >= 0;
       at = X509_NAME_get_index_by_NID(subject, id, at)) {
    unsigned char* text = nullptr;
    const int size =
        ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
    if (size < 0) continue;
    names.emplace_back(reinterpret_cast<char*>(text), static_cast<std::size_t>(size));
    OPENSSL_free(text);
  }
  return names;
}

void read_alternatives(const GENERAL_NAMES* names, std::vector<std::string>& dns,
                       std::vector<std::string>& ips) {
  for (int i = 0; names != nullptr && i < sk_GENERAL_NAME_num(names); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names, i);
    int type = 0;
    const auto* value = static_cast<const ASN1_STRING*>(GENERAL_NAME_get0_value(name, &type));
    if (type != GEN_DNS && type != GEN_IPADD) continue;
    const auto* bytes = ASN1_STRING_get0_data(value);
    const int size = ASN1_STRING_length(value);
    if (type == GEN_DNS) {
      dns.emplace_back(reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(size));
      continue;
    }
    std::array<char, INET6_ADDRSTRLEN> text{};
    const int family = size == 4 ? AF_INET : AF_INET6;
    if ((size == 4 || size == 16) && inet_ntop(family, bytes, text.data(), text.size())) {
      ips.emplace_back(text.data());
    }
  }
}

base::WallTime time_of(const ASN1_TIME* field) {
  tm parts{};
  ASN1_TIME_to_tm(field, &parts);
  return base::WallTime{std::chrono::seconds{timegm(&parts)}};
}

}  // namespace

Result<std::string> make_authority(const Key& key, const CertificateRequest& request,
                                   base::Random& random) {
  const auto certificate = new_certificate(key, request, random);
  const bool made =
      certificate &&
      X509_set_issuer_name(certificate.get(), X509_get_subject_name(certificate.get())) == 1 &&
      add_extension(certificate.get(), NID_basic_constraints, "critical,CA:TRUE") &&
      add_extension(certificate.get(), NID_key_usage,
                    "critical,digitalSignature,keyEncipherment,keyCertSign") &&
      add_key_identifiers(certificate.get(), certificate.get());
  if (!made) return base::fail(openssl_error("make authority '" + request.common_name + "'"));
  return sign(*certificate, key);
}

Result<std::string> issue_certificate(const Key& subject, const CertificateRequest& request,
                                      const Key& authority_key, std::string_view authority_pem,
                                      base::Random& random) {
  const auto authority = parse_certificate(authority_pem);
  if (!authority) return base::fail(openssl_error("read authority"));
  const auto certificate = new_certificate(subject, request, random);
  const std::string names = alternative_names(request);
  const bool made =
      certificate &&
      X509_set_issuer_name(certificate.get(), X509_get_subject_name(authority.get())) == 1 &&
      add_extension(certificate.get(), NID_basic_constraints, "critical,CA:FALSE") &&
      add_extension(certificate.get(), NID_key_usage,
                    "critical,digitalSignature,keyEncipherment") &&
      add_extension(certificate.get(), NID_ext_key_usage, usages(request)) &&
      add_key_identifiers(certificate.get(), authority.get()) &&
      (names.empty() || add_extension(certificate.get(), NID_subject_alt_name, names));
  if (!made) return base::fail(openssl_error("issue certificate '" + request.common_name + "'"));
  return sign(*certificate, authority_key);
}

Result<CertificateFacts> read_certificate(std::string_view pem) {
  const auto certificate = parse_certificate(pem);
  if (!certificate) return base::fail(openssl_error("read certificate"));
  CertificateFacts facts;
  const X509_NAME* subject = X509_get_subject_name(certificate.get());
  const auto common = names_of(subject, NID_commonName);
  if (!common.empty()) facts.common_name = common.back();
  facts.organizations = names_of(subject, NID_organizationName);
  const Handle<GENERAL_NAMES> names(static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate.get(), NID_subject_alt_name, nullptr, nullptr)));
  read_alternatives(names.get(), facts.dns_names, facts.ip_addresses);
  facts.not_before = time_of(X509_get0_notBefore(certificate.get()));
  facts.not_after = time_of(X509_get0_notAfter(certificate.get()));
  facts.is_authority = X509_check_ca(certificate.get()) > 0;
  return facts;
}

Result<std::string> make_signing_request(const Key& key, const CertificateRequest& request) {
  const Handle<X509_REQ> made(X509_REQ_new());
  bool done = set_subject(X509_REQ_get_subject_name(made.get()), request) &&
              X509_REQ_set_pubkey(made.get(), key.raw().pkey.get()) == 1;
  const std::string names = alternative_names(request);
  if (done && !names.empty()) {
    STACK_OF(X509_EXTENSION)* extensions = sk_X509_EXTENSION_new_null();
    sk_X509_EXTENSION_push(extensions, make_extension(NID_subject_alt_name, names).release());
    done = X509_REQ_add_extensions(made.get(), extensions) == 1;
    sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
  }
  if (!done || X509_REQ_sign(made.get(), key.raw().pkey.get(), EVP_sha256()) == 0) {
    return base::fail(openssl_error("make signing request"));
  }
  const Handle<BIO> bio(BIO_new(BIO_s_mem()));
  PEM_write_bio_X509_REQ(bio.get(), made.get());
  return bio_text(*bio);
}

Result<SigningRequest> read_signing_request(std::string_view pem) {
  const auto bio = read_bio(pem);
  const Handle<X509_REQ> request(PEM_read_bio_X509_REQ(bio.get(), nullptr, nullptr, nullptr));
  if (!request) return base::fail(openssl_error("read signing request"));
  Handle<EVP_PKEY> pkey(X509_REQ_get_pubkey(request.get()));
  if (!pkey || X509_REQ_verify(request.get(), pkey.get()) != 1) {
    return base::fail(openssl_error("read signing request: its signature does not hold"));
  }
  const Handle<BIO> text(BIO_new(BIO_s_mem()));
  PEM_write_bio_PUBKEY(text.get(), pkey.get());
  auto key = Key::from_public_pem(bio_text(*text));
  if (!key) return base::fail(std::move(key).error());
  SigningRequest facts{.common_name = {},
                       .organizations = {},
                       .dns_names = {},
                       .ip_addresses = {},
                       .key = std::move(*key)};
  const X509_NAME* subject = X509_REQ_get_subject_name(request.get());
  const auto common = names_of(subject, NID_commonName);
  if (!common.empty()) facts.common_name = common.back();
  facts.organizations = names_of(subject, NID_organizationName);
  STACK_OF(X509_EXTENSION)* extensions = X509_REQ_get_extensions(request.get());
  const Handle<GENERAL_NAMES> names(static_cast<GENERAL_NAMES*>(
      X509V3_get_d2i(extensions, NID_subject_alt_name, nullptr, nullptr)));
  read_alternatives(names.get(), facts.dns_names, facts.ip_addresses);
  sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
  return facts;
}

}  // namespace koi::crypto
