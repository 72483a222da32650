#pragma once

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "crypto/certificate.h"
#include "crypto/key.h"

// OpenSSL's objects with owners. For the sources of this component only.
namespace koi::crypto {

template <auto free_function>
struct Freed {
  template <class T>
  void operator()(T* object) const {
    free_function(object);
  }
};

template <class T, auto free_function>
using Owned = std::unique_ptr<T, Freed<free_function>>;

using OwnedBio = Owned<BIO, BIO_free_all>;
using OwnedKey = Owned<EVP_PKEY, EVP_PKEY_free>;
using OwnedX509 = Owned<X509, X509_free>;
using OwnedRequest = Owned<X509_REQ, X509_REQ_free>;
using OwnedName = Owned<X509_NAME, X509_NAME_free>;
using OwnedNumber = Owned<BIGNUM, BN_clear_free>;
using OwnedDigest = Owned<EVP_MD_CTX, EVP_MD_CTX_free>;

struct PublicKey::Native {
  OwnedKey key;
};
struct PrivateKey::Native {
  OwnedKey key;
};
struct Certificate::Native {
  OwnedX509 certificate;
};
struct SigningRequest::Native {
  OwnedRequest request;
};

// The oldest error that OpenSSL queued, behind what was being done; empties the queue.
[[nodiscard]] base::Error openssl_error(base::Code code, std::string_view action);

// A BIO that reads these bytes, which must outlive it.
OwnedBio reading(std::string_view bytes);
// Everything that was written to a memory BIO.
std::string written(BIO* bio);

}  // namespace koi::crypto
