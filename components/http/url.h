#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace koi::http {

// Replaces %XX. Fails on a broken escape.
base::Result<std::string> percent_decode(std::string_view text);
// The same, and '+' is a space: for query components.
base::Result<std::string> query_decode(std::string_view text);
// Escapes all but the unreserved characters of RFC 3986; `keep` lists more to leave alone.
std::string percent_encode(std::string_view text, std::string_view keep = "");

// The segments between slashes of an absolute path, each decoded; empty ones are dropped. Fails on
// a broken escape, on "." and "..", and on an encoded slash or NUL.
base::Result<std::vector<std::string>> split_path(std::string_view path);

// The parameters of a query string, decoded, in order; names may repeat.
class Query {
 public:
  // Fails on a broken escape, and beyond 1,000 parameters.
  static base::Result<Query> parse(std::string_view text);

  // The first value, or nothing.
  std::optional<std::string_view> find(std::string_view name) const;
  // The first value, or "".
  std::string_view get(std::string_view name) const;
  bool contains(std::string_view name) const { return find(name).has_value(); }
  std::vector<std::string_view> all(std::string_view name) const;
  void add(std::string_view name, std::string_view value);
  const std::vector<std::pair<std::string, std::string>>& parameters() const { return parameters_; }
  // "a=b&c=d", encoded.
  std::string to_string() const;

 private:
  std::vector<std::pair<std::string, std::string>> parameters_;
};

// An absolute http, https or unix URL: "https://[::1]:6443/api?x=y", "unix:///run/koi.sock".
struct Url {
  std::string scheme;
  std::string host;  // without brackets; of unix URLs the socket's path
  std::uint16_t port = 0;
  std::string target = "/";  // path and query

  static base::Result<Url> parse(std::string_view text);
  // "host:port" with brackets round an IPv6 address; the port left out when it is the scheme's.
  std::string authority() const;
};

}  // namespace koi::http
