#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <utility>

namespace koi::base {

// Why an operation failed. A code exists only where a caller acts on it; the API server maps each
// to one Kubernetes Status reason at the HTTP edge.
enum class Code {
  internal,        // none of the below; the message says what
  invalid,         // the input breaks a rule
  not_found,       // the thing named does not exist
  already_exists,  // the name is taken
  conflict,        // the precondition (revision, uid) no longer holds
  unauthorized,    // who calls is unknown
  forbidden,       // who calls may not
  expired,         // the revision asked for was compacted
  too_large,       // over a limit of base/limits.h
  unavailable,     // try again later
  timeout,         // the deadline passed
  cancelled,       // the caller gave up
  corrupt,         // stored or received bytes do not match their checksum or format
  unsupported,     // koi does not do this; the message says what to do
};

// The name of a code as logs print it.
std::string_view code_name(Code code);

// A failure: what a program acts on and what a person reads. The message grows outward by during(),
// is lower case, has no full stop, and quotes offending values in single quotes.
struct Error {
  Code code = Code::internal;
  std::string message;

  // Prefixes what was being done: "open database: disk is full".
  [[nodiscard]] Error during(std::string_view action) &&;

  friend bool operator==(const Error&, const Error&) = default;
};

template <class T = void>
using Result = std::expected<T, Error>;

// Returns an Error as a failed Result: `return fail(Code::invalid, "...")`.
[[nodiscard]] std::unexpected<Error> fail(Code code, std::string message);

// Passes a failure on: `return fail(std::move(result).error().during("..."))`.
[[nodiscard]] std::unexpected<Error> fail(Error error);

// The errno as an Error: "open '/x': No space left on device".
[[nodiscard]] Error errno_error(int error_number, std::string_view action);

}  // namespace koi::base
