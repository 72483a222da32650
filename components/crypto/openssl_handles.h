#pragma once

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "crypto/key.h"

// OpenSSL's objects with owners. For the .cc files of this component.
namespace koi::crypto {

struct FreeHandle {
  void operator()(BIO* handle) const { BIO_free_all(handle); }
  void operator()(EVP_PKEY* handle) const { EVP_PKEY_free(handle); }
  void operator()(EVP_MD_CTX* handle) const { EVP_MD_CTX_free(handle); }
  void operator()(X509* handle) const { X509_free(handle); }
  void operator()(X509_REQ* handle) const { X509_REQ_free(handle); }
  void operator()(X509_EXTENSION* handle) const { X509_EXTENSION_free(handle); }
  void operator()(GENERAL_NAMES* handle) const { GENERAL_NAMES_free(handle); }
  void operator()(EVP_PKEY_CTX* handle) const { EVP_PKEY_CTX_free(handle); }
};
template <class T>
using Handle = std::unique_ptr<T, FreeHandle>;

struct Key::Raw {
  Handle<EVP_PKEY> pkey;
};

// The oldest queued OpenSSL error as an Error; empties the queue.
base::Error openssl_error(std::string_view action);

Handle<BIO> read_bio(std::string_view text);
std::string bio_text(BIO& bio);

}  // namespace koi::crypto
