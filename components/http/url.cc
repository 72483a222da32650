#include "http/url.h"

#include <charconv>

namespace koi::http {

namespace {

using base::Code;
using base::fail;

constexpr std::size_t query_parameters_max = 1'000;

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool is_unreserved(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '.' || c == '_' || c == '~';
}

base::Result<std::string> decode(std::string_view text, bool plus_is_space) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+' && plus_is_space) {
      out += ' ';
    } else if (text[i] != '%') {
      out += text[i];
    } else {
      const int high = i + 2 < text.size() ? hex_value(text[i + 1]) : -1;
      const int low = i + 2 < text.size() ? hex_value(text[i + 2]) : -1;
      if (high < 0 || low < 0) {
        return fail(Code::invalid,
                    "'" + std::string(text.substr(i, 3)) + "' is not a percent escape");
      }
      out += static_cast<char>(high * 16 + low);
      i += 2;
    }
  }
  return out;
}

base::Result<std::uint16_t> parse_port(std::string_view text) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc() || end != text.data() + text.size() || port == 0) {
    return fail(Code::invalid, "'" + std::string(text) + "' is not a port");
  }
  return port;
}

std::uint16_t default_port(std::string_view scheme) { return scheme == "https" ? 443 : 80; }

base::Result<> parse_authority(std::string_view authority, Url& url) {
  std::string_view port;
  if (authority.starts_with('[')) {
    const auto close = authority.find(']');
    if (close == std::string_view::npos) return fail(Code::invalid, "'[' without ']'");
    url.host = authority.substr(1, close - 1);
    authority.remove_prefix(close + 1);
    if (authority.starts_with(':')) port = authority.substr(1);
    if (!authority.empty() && port.empty()) return fail(Code::invalid, "text after ']'");
  } else {
    const auto colon = authority.find(':');
    url.host = authority.substr(0, colon);
    if (colon != std::string_view::npos) {
      port = authority.substr(colon + 1);
      if (port.empty()) return fail(Code::invalid, "no port after ':'");
    }
  }
  if (url.host.empty()) return fail(Code::invalid, "no host");
  url.port = default_port(url.scheme);
  if (port.empty()) return {};
  auto number = parse_port(port);
  if (!number) return fail(std::move(number).error());
  url.port = *number;
  return {};
}

}  // namespace

base::Result<std::string> percent_decode(std::string_view text) { return decode(text, false); }

base::Result<std::string> query_decode(std::string_view text) { return decode(text, true); }

std::string percent_encode(std::string_view text, std::string_view keep) {
  static constexpr std::string_view digits = "0123456789ABCDEF";
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    if (is_unreserved(c) || keep.find(c) != std::string_view::npos) {
      out += c;
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    out += '%';
    out += digits[byte >> 4];
    out += digits[byte & 15];
  }
  return out;
}

base::Result<std::vector<std::string>> split_path(std::string_view path) {
  std::vector<std::string> segments;
  while (!path.empty()) {
    const auto slash = path.find('/');
    const std::string_view raw = path.substr(0, slash);
    path = slash == std::string_view::npos ? std::string_view() : path.substr(slash + 1);
    if (raw.empty()) continue;
    auto segment = percent_decode(raw);
    if (!segment) return fail(std::move(segment).error());
    const bool hidden =
        segment->find('/') != std::string::npos || segment->find('\0') != std::string::npos;
    if (hidden || *segment == "." || *segment == "..") {
      return fail(Code::invalid, "'" + std::string(raw) + "' is not a path segment");
    }
    segments.push_back(std::move(*segment));
  }
  return segments;
}

base::Result<Query> Query::parse(std::string_view text) {
  Query query;
  while (!text.empty()) {
    const auto ampersand = text.find('&');
    const std::string_view pair = text.substr(0, ampersand);
    text = ampersand == std::string_view::npos ? std::string_view() : text.substr(ampersand + 1);
    if (pair.empty()) continue;
    if (query.parameters_.size() == query_parameters_max) {
      return fail(Code::too_large, "the query has more than 1000 parameters");
    }
    const auto equals = pair.find('=');
    auto name = query_decode(pair.substr(0, equals));
    if (!name) return fail(std::move(name).error());
    auto value = query_decode(equals == std::string_view::npos ? std::string_view()
                                                               : pair.substr(equals + 1));
    if (!value) return fail(std::move(value).error());
    query.parameters_.emplace_back(std::move(*name), std::move(*value));
  }
  return query;
}

std::optional<std::string_view> Query::find(std::string_view name) const {
  for (const auto& [key, value] : parameters_) {
    if (key == name) return value;
  }
  return std::nullopt;
}

std::string_view Query::get(std::string_view name) const {
  return find(name).value_or(std::string_view());
}

std::vector<std::string_view> Query::all(std::string_view name) const {
  std::vector<std::string_view> values;
  for (const auto& [key, value] : parameters_) {
    if (key == name) values.push_back(value);
  }
  return values;
}

void Query::add(std::string_view name, std::string_view value) {
  parameters_.emplace_back(name, value);
}

std::string Query::to_string() const {
  std::string text;
  for (const auto& [name, value] : parameters_) {
    if (!text.empty()) text += '&';
    text += percent_encode(name);
    text += '=';
    text += percent_encode(value);
  }
  return text;
}

base::Result<Url> Url::parse(std::string_view text) {
  const auto separator = text.find("://");
  const std::string quoted = "'" + std::string(text) + "'";
  if (separator == std::string_view::npos) return fail(Code::invalid, quoted + " is not a URL");
  Url url;
  url.scheme = text.substr(0, separator);
  std::string_view rest = text.substr(separator + 3);
  for (const char c : rest) {
    if (static_cast<unsigned char>(c) <= ' ' || c == 0x7f) {
      return fail(Code::invalid, quoted + " is not a URL: it holds a blank or control character");
    }
  }
  if (url.scheme == "unix") {
    url.host = rest;
    if (!rest.starts_with('/')) return fail(Code::invalid, quoted + " names no absolute path");
    return url;
  }
  if (url.scheme != "http" && url.scheme != "https") {
    return fail(Code::invalid, quoted + " is neither an http nor an https URL");
  }
  rest = rest.substr(0, rest.find('#'));
  const auto target_at = rest.find_first_of("/?");
  const std::string_view authority = rest.substr(0, target_at);
  if (authority.find('@') != std::string_view::npos) {
    return fail(Code::invalid, quoted + " holds a user name, which is not supported");
  }
  auto parsed = parse_authority(authority, url);
  if (!parsed) return fail(std::move(parsed).error().during(quoted + " is not a URL"));
  if (target_at != std::string_view::npos) {
    url.target = rest.substr(target_at);
    if (url.target.starts_with('?')) url.target.insert(0, "/");
  }
  return url;
}

std::string Url::authority() const {
  std::string text = host.find(':') == std::string::npos ? host : "[" + host + "]";
  if (port != 0 && port != default_port(scheme)) text += ":" + std::to_string(port);
  return text;
}

}  // namespace koi::http
