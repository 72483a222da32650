#include "base/result.h"

#include <cerrno>
#include <system_error>

namespace koi::base {

std::string_view code_name(Code code) {
  switch (code) {
    case Code::internal:
      return "internal";
    case Code::invalid:
      return "invalid";
    case Code::not_found:
      return "not_found";
    case Code::already_exists:
      return "already_exists";
    case Code::conflict:
      return "conflict";
    case Code::unauthorized:
      return "unauthorized";
    case Code::forbidden:
      return "forbidden";
    case Code::expired:
      return "expired";
    case Code::too_large:
      return "too_large";
    case Code::unavailable:
      return "unavailable";
    case Code::timeout:
      return "timeout";
    case Code::cancelled:
      return "cancelled";
    case Code::corrupt:
      return "corrupt";
    case Code::unsupported:
      return "unsupported";
  }
  return "unknown";
}

Error Error::during(std::string_view action) && {
  return Error{code, std::string(action) + ": " + std::move(message)};
}

std::unexpected<Error> fail(Code code, std::string message) {
  return std::unexpected(Error{code, std::move(message)});
}

std::unexpected<Error> fail(Error error) { return std::unexpected(std::move(error)); }

Error errno_error(int error_number, std::string_view action) {
  Code code = Code::internal;
  if (error_number == ENOENT) code = Code::not_found;
  if (error_number == EEXIST) code = Code::already_exists;
  if (error_number == EACCES || error_number == EPERM) code = Code::forbidden;
  if (error_number == ENOSPC || error_number == EDQUOT) code = Code::unavailable;
  return Error{code, std::string(action) + ": " + std::generic_category().message(error_number)};
}

}  // namespace koi::base
