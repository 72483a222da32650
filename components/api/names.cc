#include "api/names.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <charconv>

namespace koi::api {

namespace {

constexpr std::size_t label_bytes_max = 63;
constexpr std::size_t subdomain_bytes_max = 253;

bool is_lower_alnum(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_alnum(char c) { return is_lower_alnum(c) || (c >= 'A' && c <= 'Z'); }

bool is_label(std::string_view text) {
  return !text.empty() && is_lower_alnum(text.front()) && is_lower_alnum(text.back()) &&
         std::ranges::all_of(text, [](char c) { return is_lower_alnum(c) || c == '-'; });
}

bool is_subdomain(std::string_view text) {
  while (true) {
    const auto dot = text.find('.');
    if (!is_label(text.substr(0, dot))) return false;
    if (dot == std::string_view::npos) return true;
    text.remove_prefix(dot + 1);
  }
}

bool is_qualified_part(std::string_view text) {
  return !text.empty() && is_alnum(text.front()) && is_alnum(text.back()) &&
         std::ranges::all_of(
             text, [](char c) { return is_alnum(c) || c == '-' || c == '_' || c == '.'; });
}

std::string bytes_max_text(std::size_t bytes) {
  return "must be no more than " + std::to_string(bytes) + " bytes";
}

void add(std::string& list, std::string_view text) {
  if (!list.empty()) list += ", ";
  list += text;
}

Complaint complaint(std::string list) {
  if (list.empty()) return std::nullopt;
  return list;
}

constexpr std::string_view label_rule =
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and "
    "must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used "
    "for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
constexpr std::string_view subdomain_rule =
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or "
    "'.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used "
    "for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
constexpr std::string_view dns1035_rule =
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an "
    "alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', "
    "regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')";
constexpr std::string_view wildcard_rule =
    "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which "
    "must consist of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric "
    "character (e.g. '*.example.com', regex used for validation is "
    "'\\*\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
constexpr std::string_view qualified_rule =
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end "
    "with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for "
    "validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
constexpr std::string_view label_value_rule =
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or "
    "'.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  "
    "or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";
constexpr std::string_view config_key_rule =
    "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. "
    "'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')";
constexpr std::string_view env_name_rule =
    "a valid environment variable name must consist only of printable ASCII characters other "
    "than '='";

}  // namespace

Complaint check_dns1123_label(std::string_view text) {
  std::string list;
  if (text.size() > label_bytes_max) add(list, bytes_max_text(label_bytes_max));
  if (!is_label(text)) {
    // A dotted name is a common mistake where only a label fits; the words tell them apart.
    add(list, is_subdomain(text) ? "must not contain dots" : label_rule);
  }
  return complaint(std::move(list));
}

Complaint check_dns1123_subdomain(std::string_view text) {
  std::string list;
  if (text.size() > subdomain_bytes_max) add(list, bytes_max_text(subdomain_bytes_max));
  if (!is_subdomain(text)) add(list, subdomain_rule);
  return complaint(std::move(list));
}

Complaint check_dns1035_label(std::string_view text) {
  std::string list;
  if (text.size() > label_bytes_max) add(list, bytes_max_text(label_bytes_max));
  if (!is_label(text) || is_digit(text.front())) add(list, dns1035_rule);
  return complaint(std::move(list));
}

Complaint check_wildcard_dns1123_subdomain(std::string_view text) {
  std::string list;
  if (text.size() > subdomain_bytes_max) add(list, bytes_max_text(subdomain_bytes_max));
  if (!text.starts_with("*.") || !is_subdomain(text.substr(2))) add(list, wildcard_rule);
  return complaint(std::move(list));
}

Complaint check_path_segment(std::string_view text) {
  if (text == "." || text == "..") return "may not be '" + std::string(text) + "'";
  for (const char c : {'/', '%'}) {
    if (text.find(c) != std::string_view::npos) {
      return "may not contain '" + std::string(1, c) + "'";
    }
  }
  return std::nullopt;
}

Complaint check_qualified_name(std::string_view text) {
  std::string list;
  std::string_view name = text;
  const auto slash = text.find('/');
  if (slash != std::string_view::npos) {
    const std::string_view prefix = text.substr(0, slash);
    name = text.substr(slash + 1);
    if (name.find('/') != std::string_view::npos) {
      return "a qualified name " + std::string(qualified_rule).substr(10) +
             " with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')";
    }
    if (prefix.empty()) {
      add(list, "prefix part must be non-empty");
    } else if (const auto wrong = check_dns1123_subdomain(prefix)) {
      add(list, "prefix part " + *wrong);
    }
  }
  if (name.empty()) add(list, "name part must be non-empty");
  if (name.size() > label_bytes_max) add(list, "name part " + bytes_max_text(label_bytes_max));
  if (!is_qualified_part(name)) add(list, qualified_rule);
  return complaint(std::move(list));
}

Complaint check_label_value(std::string_view text) {
  std::string list;
  if (text.size() > label_bytes_max) add(list, bytes_max_text(label_bytes_max));
  if (!text.empty() && !is_qualified_part(text)) add(list, label_value_rule);
  return complaint(std::move(list));
}

Complaint check_config_key(std::string_view text) {
  std::string list;
  if (text.size() > subdomain_bytes_max) add(list, bytes_max_text(subdomain_bytes_max));
  const bool is_good = !text.empty() && std::ranges::all_of(text, [](char c) {
    return is_alnum(c) || c == '-' || c == '_' || c == '.';
  });
  if (!is_good) add(list, config_key_rule);
  if (text == "." || text == "..") add(list, "must not be '" + std::string(text) + "'");
  if (text.starts_with("..") && text != "..") add(list, "must not start with '..'");
  return complaint(std::move(list));
}

Complaint check_env_name(std::string_view text) {
  const bool is_good = !text.empty() && std::ranges::all_of(text, [](char c) {
    return c >= 0x20 && c < 0x7f && c != '=';
  });
  if (!is_good) return std::string(env_name_rule);
  return std::nullopt;
}

Complaint check_port_name(std::string_view text) {
  std::string list;
  if (text.size() > 15) add(list, "must be no more than 15 characters");
  const bool has_set =
      std::ranges::all_of(text, [](char c) { return is_lower_alnum(c) || c == '-'; });
  if (!has_set) {
    add(list, "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)");
  }
  if (!std::ranges::any_of(text, [](char c) { return c >= 'a' && c <= 'z'; })) {
    add(list, "must contain at least one letter (a-z)");
  }
  if (text.find("--") != std::string_view::npos) {
    add(list, "must not contain consecutive hyphens");
  }
  if (!text.empty() && (text.front() == '-' || text.back() == '-')) {
    add(list, "must not begin or end with a hyphen");
  }
  return complaint(std::move(list));
}

Complaint check_ip(std::string_view text) {
  std::array<unsigned char, 16> address{};
  const std::string copy(text);
  if (inet_pton(AF_INET, copy.c_str(), address.data()) == 1) return std::nullopt;
  if (inet_pton(AF_INET6, copy.c_str(), address.data()) == 1) return std::nullopt;
  return "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)";
}

Complaint check_cidr(std::string_view text) {
  static constexpr std::string_view rule =
      "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)";
  const auto slash = text.find('/');
  if (slash == std::string_view::npos || check_ip(text.substr(0, slash))) return std::string(rule);
  const std::string_view length = text.substr(slash + 1);
  int bits = -1;
  const auto [end, error] = std::from_chars(length.data(), length.data() + length.size(), bits);
  const int bits_max = text.substr(0, slash).find(':') == std::string_view::npos ? 32 : 128;
  const bool is_good =
      error == std::errc() && end == length.data() + length.size() && bits >= 0 && bits <= bits_max;
  if (!is_good) return std::string(rule);
  return std::nullopt;
}

}  // namespace koi::api
