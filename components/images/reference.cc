#include "images/reference.h"

#include <algorithm>

#include "images/image_store.h"

namespace koi::images {

namespace {

constexpr std::size_t name_bytes_max = 255;
constexpr std::size_t tag_bytes_max = 128;

bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_hex(char c) { return is_digit(c) || (c >= 'a' && c <= 'f'); }
bool is_alnum(char c) { return is_lower(c) || is_upper(c) || is_digit(c); }

// Runs of [a-z0-9] joined by one '.', one or two '_' or any number of '-'.
bool is_path_component(std::string_view text) {
  std::size_t at = 0;
  while (true) {
    const std::size_t begin = at;
    while (at < text.size() && (is_lower(text[at]) || is_digit(text[at]))) ++at;
    if (at == begin) return false;
    if (at == text.size()) return true;
    const char separator = text[at];
    std::size_t length = 0;
    while (at < text.size() && text[at] == separator) ++at, ++length;
    const bool good =
        separator == '-' || (separator == '.' && length == 1) || (separator == '_' && length <= 2);
    if (!good) return false;
  }
}

bool is_host_label(std::string_view text) {
  return !text.empty() && is_alnum(text.front()) && is_alnum(text.back()) &&
         std::ranges::all_of(text, [](char c) { return is_alnum(c) || c == '-'; });
}

bool is_host(std::string_view text) {
  if (text.starts_with('[')) {
    return text.size() > 2 && text.ends_with(']') &&
           std::ranges::all_of(text.substr(1, text.size() - 2), [](char c) {
             return is_hex(c) || (c >= 'A' && c <= 'F') || c == ':';
           });
  }
  while (true) {
    const std::size_t dot = text.find('.');
    if (!is_host_label(text.substr(0, dot))) return false;
    if (dot == std::string_view::npos) return true;
    text.remove_prefix(dot + 1);
  }
}

bool is_domain(std::string_view text) {
  const std::size_t bracket = text.rfind(']');
  const std::size_t colon = text.find(':', bracket == std::string_view::npos ? 0 : bracket);
  if (colon != std::string_view::npos) {
    const std::string_view port = text.substr(colon + 1);
    if (port.empty() || !std::ranges::all_of(port, is_digit)) return false;
    text = text.substr(0, colon);
  }
  return is_host(text);
}

bool is_tag(std::string_view text) {
  if (text.empty() || text.size() > tag_bytes_max) return false;
  if (!is_alnum(text.front()) && text.front() != '_') return false;
  return std::ranges::all_of(
      text, [](char c) { return is_alnum(c) || c == '_' || c == '.' || c == '-'; });
}

// The first component names a registry when it could not be a Docker Hub user.
bool looks_like_domain(std::string_view component) {
  return component == "localhost" || component.find_first_of(".:") != std::string_view::npos ||
         std::ranges::any_of(component, is_upper);
}

base::Result<> check_path(std::string_view whole, std::string_view path) {
  while (true) {
    const std::size_t slash = path.find('/');
    const std::string_view component = path.substr(0, slash);
    if (!is_path_component(component)) {
      const bool upper = std::ranges::any_of(component, is_upper);
      return base::fail(base::Code::invalid,
                        "image reference '" + std::string(whole) + "': " +
                            (upper ? "repository name must be lowercase"
                                   : "'" + std::string(component) + "' is no repository name"));
    }
    if (slash == std::string_view::npos) return {};
    path.remove_prefix(slash + 1);
  }
}

std::unexpected<base::Error> invalid(std::string_view whole, std::string_view reason) {
  return base::fail(base::Code::invalid,
                    "image reference '" + std::string(whole) + "': " + std::string(reason));
}

bool is_hex_id(std::string_view text) {
  return text.size() == 64 && std::ranges::all_of(text, is_hex);
}

}  // namespace

std::string Reference::text() const {
  std::string whole = repository();
  if (!tag.empty()) whole += ":" + tag;
  if (!digest.empty()) whole += "@" + digest;
  return whole;
}

bool is_sha256_digest(std::string_view text) {
  return text.starts_with("sha256:") && is_hex_id(text.substr(7));
}

base::Result<Reference> parse_reference(std::string_view text) {
  if (text.empty()) return invalid(text, "is empty");
  if (is_hex_id(text)) return invalid(text, "a repository cannot be named like an image id");
  Reference reference;
  std::string_view rest = text;
  if (const std::size_t at = rest.find('@'); at != std::string_view::npos) {
    reference.digest = rest.substr(at + 1);
    if (!is_sha256_digest(reference.digest)) {
      return invalid(text, "'" + reference.digest + "' is no sha256 digest");
    }
    rest = rest.substr(0, at);
  }
  const std::size_t slash = rest.rfind('/');
  const std::size_t colon = rest.find(':', slash == std::string_view::npos ? 0 : slash);
  if (colon != std::string_view::npos) {
    reference.tag = rest.substr(colon + 1);
    if (!is_tag(reference.tag)) return invalid(text, "'" + reference.tag + "' is no tag");
    rest = rest.substr(0, colon);
  }
  const std::size_t first = rest.find('/');
  if (first != std::string_view::npos && looks_like_domain(rest.substr(0, first))) {
    reference.domain = rest.substr(0, first);
    rest.remove_prefix(first + 1);
    if (!is_domain(reference.domain)) {
      return invalid(text, "'" + reference.domain + "' is no registry");
    }
    if (reference.domain == "index.docker.io") reference.domain = "docker.io";
  } else {
    reference.domain = "docker.io";
  }
  if (auto good = check_path(text, rest); !good) return base::fail(std::move(good).error());
  const bool official = reference.domain == "docker.io" && !rest.contains('/');
  reference.path = (official ? "library/" : "") + std::string(rest);
  if (reference.repository().size() > name_bytes_max) {
    return invalid(text, "the name is longer than 255 characters");
  }
  if (reference.tag.empty() && reference.digest.empty()) reference.tag = "latest";
  return reference;
}

base::Result<std::string> normalize_reference(std::string_view reference) {
  auto parsed = parse_reference(reference);
  if (!parsed) return base::fail(std::move(parsed).error());
  return parsed->text();
}

}  // namespace koi::images
