#include <openssl/err.h>
#include <openssl/pem.h>

#include "crypto/bootstrap.h"
#include "crypto/certificate.h"
#include "crypto/names.h"
#include "crypto/native.h"

namespace koi::crypto {

namespace {

using base::Code;
using base::fail;

constexpr std::size_t pem_bytes_max = 64 * 1024;

struct FreeNames {
  void operator()(GENERAL_NAMES* names) const {
    sk_GENERAL_NAME_pop_free(names, GENERAL_NAME_free);
  }
};
struct FreeExtensions {
  void operator()(STACK_OF(X509_EXTENSION) * extensions) const {
    sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
  }
};
using OwnedExtensions = std::unique_ptr<STACK_OF(X509_EXTENSION), FreeExtensions>;

base::Result<> add_names(X509_REQ* request, const SubjectNames& names) {
  auto extension = make_names_extension(names);
  if (!extension) return fail(std::move(extension).error());
  OwnedExtensions all(sk_X509_EXTENSION_new_null());
  if (!all || sk_X509_EXTENSION_push(all.get(), extension->get()) == 0) {
    return fail(openssl_error(Code::internal, "make a signing request"));
  }
  (void)extension->release();
  if (X509_REQ_add_extensions(request, all.get()) != 1) {
    return fail(openssl_error(Code::internal, "make a signing request"));
  }
  return {};
}

}  // namespace

SigningRequest::SigningRequest(std::shared_ptr<const Native> native) : native_(std::move(native)) {}

base::Result<SigningRequest> SigningRequest::create(const PrivateKey& key, const Subject& subject,
                                                    const SubjectNames& names) {
  bootstrap();
  auto name = make_name(subject);
  if (!name) return fail(std::move(name).error());
  OwnedRequest request(X509_REQ_new());
  auto* r = request.get();
  auto* native_key = key.native().key.get();
  if (!request || X509_REQ_set_version(r, X509_REQ_VERSION_1) != 1 ||
      X509_REQ_set_subject_name(r, name->get()) != 1 || X509_REQ_set_pubkey(r, native_key) != 1) {
    return fail(openssl_error(Code::internal, "make a signing request"));
  }
  if (!names.dns.empty() || !names.ips.empty()) {
    auto added = add_names(r, names);
    if (!added) return fail(std::move(added).error());
  }
  if (X509_REQ_sign(r, native_key, EVP_sha256()) <= 0) {
    return fail(openssl_error(Code::internal, "sign a signing request"));
  }
  return SigningRequest(std::make_shared<const Native>(std::move(request)));
}

base::Result<SigningRequest> SigningRequest::from_pem(std::string_view pem) {
  bootstrap();
  if (pem.size() > pem_bytes_max) return fail(Code::too_large, "the signing request is too large");
  const OwnedBio bio = reading(pem);
  OwnedRequest request(PEM_read_bio_X509_REQ(bio.get(), nullptr, nullptr, nullptr));
  if (!request) return fail(openssl_error(Code::invalid, "read a signing request"));
  EVP_PKEY* key = X509_REQ_get0_pubkey(request.get());
  if (key == nullptr || X509_REQ_verify(request.get(), key) != 1) {
    return fail(openssl_error(Code::invalid, "the signature of the signing request does not hold"));
  }
  ERR_clear_error();
  return SigningRequest(std::make_shared<const Native>(std::move(request)));
}

base::Result<std::string> SigningRequest::to_pem() const {
  const OwnedBio bio(BIO_new(BIO_s_mem()));
  if (!bio || PEM_write_bio_X509_REQ(bio.get(), native_->request.get()) != 1) {
    return fail(openssl_error(Code::internal, "write a signing request"));
  }
  return written(bio.get());
}

base::Result<Subject> SigningRequest::subject() const {
  return read_name(X509_REQ_get_subject_name(native_->request.get()));
}

base::Result<SubjectNames> SigningRequest::names() const {
  const OwnedExtensions extensions(X509_REQ_get_extensions(native_->request.get()));
  const std::unique_ptr<GENERAL_NAMES, FreeNames> names(static_cast<GENERAL_NAMES*>(
      X509V3_get_d2i(extensions.get(), NID_subject_alt_name, nullptr, nullptr)));
  return read_names(names.get());
}

base::Result<PublicKey> SigningRequest::public_key() const {
  OwnedKey key(X509_REQ_get_pubkey(native_->request.get()));
  if (!key) return fail(openssl_error(Code::invalid, "read the key of a signing request"));
  return PublicKey(std::make_shared<const PublicKey::Native>(std::move(key)));
}

}  // namespace koi::crypto
