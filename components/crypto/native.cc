#include "crypto/native.h"

#include <openssl/err.h>

namespace koi::crypto {

base::Error openssl_error(base::Code code, std::string_view action) {
  const unsigned long error = ERR_get_error();
  ERR_clear_error();
  std::string message(action);
  if (error != 0) {
    const char* reason = ERR_reason_error_string(error);
    if (reason != nullptr) {
      message.append(": ").append(reason);
    } else {
      message.append(": OpenSSL error ").append(std::to_string(error));
    }
  }
  return base::Error{code, std::move(message)};
}

OwnedBio reading(std::string_view bytes) {
  return OwnedBio(BIO_new_mem_buf(bytes.data(), static_cast<int>(bytes.size())));
}

std::string written(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  return size > 0 ? std::string(data, static_cast<std::size_t>(size)) : std::string();
}

}  // namespace koi::crypto
