#include "crypto/certificate.h"

#include <openssl/err.h>
#include <openssl/pem.h>

#include <ctime>

#include "crypto/bootstrap.h"
#include "crypto/digest.h"
#include "crypto/names.h"
#include "crypto/native.h"

namespace koi::crypto {

namespace {

using base::Code;
using base::fail;

constexpr std::size_t certificates_max = 1'000;
constexpr std::size_t pem_bytes_max = 4 * 1024 * 1024;
constexpr std::size_t der_bytes_max = 64 * 1024;

struct FreeNames {
  void operator()(GENERAL_NAMES* names) const {
    sk_GENERAL_NAME_pop_free(names, GENERAL_NAME_free);
  }
};
struct FreeStack {
  void operator()(STACK_OF(X509) * stack) const { sk_X509_free(stack); }
};
using OwnedStack = std::unique_ptr<STACK_OF(X509), FreeStack>;
using OwnedStore = Owned<X509_STORE, X509_STORE_free>;
using OwnedStoreContext = Owned<X509_STORE_CTX, X509_STORE_CTX_free>;

base::Result<base::WallTime> read_time(const ASN1_TIME* time) {
  std::tm parts{};
  if (time == nullptr || ASN1_TIME_to_tm(time, &parts) != 1) {
    return fail(openssl_error(Code::invalid, "read a time of the certificate"));
  }
  return base::WallTime(std::chrono::seconds(timegm(&parts)));
}

OwnedStack stack_of(const std::vector<Certificate>& certificates) {
  OwnedStack stack(sk_X509_new_null());
  for (const auto& certificate : certificates) {
    if (!stack || sk_X509_push(stack.get(), certificate.native().certificate.get()) == 0) {
      return nullptr;
    }
  }
  return stack;
}

}  // namespace

Certificate::Certificate(std::shared_ptr<const Native> native) : native_(std::move(native)) {}

base::Result<Certificate> Certificate::from_pem(std::string_view pem) {
  auto all = all_from_pem(pem);
  if (!all) return fail(std::move(all).error());
  return std::move(all->front());
}

base::Result<std::vector<Certificate>> Certificate::all_from_pem(std::string_view pem) {
  bootstrap();
  if (pem.size() > pem_bytes_max) return fail(Code::too_large, "the certificates are too large");
  const OwnedBio bio = reading(pem);
  std::vector<Certificate> all;
  for (;;) {
    OwnedX509 certificate(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
    if (!certificate) break;
    if (all.size() == certificates_max) return fail(Code::too_large, "more than 1000 certificates");
    all.emplace_back(std::make_shared<const Native>(std::move(certificate)));
  }
  const unsigned long error = ERR_peek_last_error();
  const bool at_end =
      ERR_GET_LIB(error) == ERR_LIB_PEM && ERR_GET_REASON(error) == PEM_R_NO_START_LINE;
  if (!at_end || all.empty()) return fail(openssl_error(Code::invalid, "read a certificate"));
  ERR_clear_error();
  return all;
}

base::Result<Certificate> Certificate::from_der(std::string_view der) {
  bootstrap();
  if (der.size() > der_bytes_max) return fail(Code::too_large, "the certificate is too large");
  const auto* at = reinterpret_cast<const unsigned char*>(der.data());
  const auto* const end = at + der.size();
  OwnedX509 certificate(d2i_X509(nullptr, &at, static_cast<long>(der.size())));
  if (!certificate || at != end) return fail(openssl_error(Code::invalid, "read a certificate"));
  return Certificate(std::make_shared<const Native>(std::move(certificate)));
}

base::Result<std::string> Certificate::to_pem() const {
  const OwnedBio bio(BIO_new(BIO_s_mem()));
  if (!bio || PEM_write_bio_X509(bio.get(), native_->certificate.get()) != 1) {
    return fail(openssl_error(Code::internal, "write a certificate"));
  }
  return written(bio.get());
}

base::Result<std::string> Certificate::to_der() const {
  unsigned char* der = nullptr;
  const int size = i2d_X509(native_->certificate.get(), &der);
  if (size <= 0) return fail(openssl_error(Code::internal, "encode a certificate"));
  std::string out(reinterpret_cast<const char*>(der), static_cast<std::size_t>(size));
  OPENSSL_free(der);
  return out;
}

base::Result<Subject> Certificate::subject() const {
  return read_name(X509_get_subject_name(native_->certificate.get()));
}

base::Result<Subject> Certificate::issuer() const {
  return read_name(X509_get_issuer_name(native_->certificate.get()));
}

base::Result<SubjectNames> Certificate::names() const {
  const std::unique_ptr<GENERAL_NAMES, FreeNames> names(static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(native_->certificate.get(), NID_subject_alt_name, nullptr, nullptr)));
  return read_names(names.get());
}

base::Result<base::WallTime> Certificate::not_before() const {
  return read_time(X509_get0_notBefore(native_->certificate.get()));
}

base::Result<base::WallTime> Certificate::not_after() const {
  return read_time(X509_get0_notAfter(native_->certificate.get()));
}

base::Result<PublicKey> Certificate::public_key() const {
  OwnedKey key(X509_get_pubkey(native_->certificate.get()));
  if (!key) return fail(openssl_error(Code::invalid, "read the key of a certificate"));
  return PublicKey(std::make_shared<const PublicKey::Native>(std::move(key)));
}

base::Result<std::string> Certificate::serial() const {
  const OwnedNumber number(
      ASN1_INTEGER_to_BN(X509_get0_serialNumber(native_->certificate.get()), nullptr));
  char* hex = number ? BN_bn2hex(number.get()) : nullptr;
  if (hex == nullptr) return fail(openssl_error(Code::invalid, "read a serial number"));
  std::string text(hex);
  OPENSSL_free(hex);
  for (char& c : text) {
    if (c >= 'A' && c <= 'F') c = static_cast<char>(c + 32);
  }
  return text;
}

base::Result<std::string> Certificate::sha256() const {
  auto der = to_der();
  if (!der) return der;
  return sha256_hex(*der);
}

bool Certificate::is_ca() const { return X509_check_ca(native_->certificate.get()) == 1; }

bool Certificate::allows_client_auth() const {
  return X509_check_purpose(native_->certificate.get(), X509_PURPOSE_SSL_CLIENT, 0) == 1;
}

bool Certificate::allows_server_auth() const {
  return X509_check_purpose(native_->certificate.get(), X509_PURPOSE_SSL_SERVER, 0) == 1;
}

base::Result<> verify_chain(const Certificate& leaf, const std::vector<Certificate>& intermediates,
                            const std::vector<Certificate>& roots, Purpose purpose,
                            base::WallTime now) {
  const OwnedStore store(X509_STORE_new());
  const OwnedStoreContext context(X509_STORE_CTX_new());
  const OwnedStack untrusted = stack_of(intermediates);
  const OwnedStack trusted = stack_of(roots);
  if (!store || !context || !untrusted || !trusted ||
      X509_STORE_CTX_init(context.get(), store.get(), leaf.native().certificate.get(),
                          untrusted.get()) != 1) {
    return fail(openssl_error(Code::internal, "verify a certificate"));
  }
  X509_STORE_CTX_set0_trusted_stack(context.get(), trusted.get());
  X509_VERIFY_PARAM* rules = X509_STORE_CTX_get0_param(context.get());
  X509_VERIFY_PARAM_set_time(
      rules, std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count());
  X509_VERIFY_PARAM_set_purpose(
      rules, purpose == Purpose::client ? X509_PURPOSE_SSL_CLIENT : X509_PURPOSE_SSL_SERVER);
  X509_VERIFY_PARAM_set_depth(rules, 8);
  const int good = X509_verify_cert(context.get());
  const int why = X509_STORE_CTX_get_error(context.get());
  ERR_clear_error();
  if (good == 1) return {};
  return fail(Code::unauthorized, std::string("the certificate cannot be trusted: ") +
                                      X509_verify_cert_error_string(why));
}

}  // namespace koi::crypto
