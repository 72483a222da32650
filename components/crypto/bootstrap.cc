#include "crypto/bootstrap.h"

#include <openssl/ssl.h>

#include <cstdint>

#include "base/check.h"

namespace koi::crypto {

void bootstrap() {
  constexpr std::uint64_t options = OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_NO_LOAD_SSL_STRINGS |
                                    OPENSSL_INIT_NO_LOAD_CRYPTO_STRINGS | OPENSSL_INIT_NO_ATEXIT;
  CHECK_THAT(OPENSSL_init_ssl(options, nullptr) == 1, "OpenSSL could not be set up");
}

}  // namespace koi::crypto
