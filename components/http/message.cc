#include "http/message.h"

#include <algorithm>
#include <array>
#include <utility>

namespace koi::http {

namespace {

constexpr std::array<std::pair<std::string_view, Method>, 9> method_names{{
    {"GET", Method::get},
    {"HEAD", Method::head},
    {"POST", Method::post},
    {"PUT", Method::put},
    {"PATCH", Method::patch},
    {"DELETE", Method::delete_},
    {"OPTIONS", Method::options},
    {"CONNECT", Method::connect},
    {"TRACE", Method::trace},
}};

constexpr std::pair<int, std::string_view> reasons[] = {
    {100, "Continue"},
    {101, "Switching Protocols"},
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {204, "No Content"},
    {206, "Partial Content"},
    {301, "Moved Permanently"},
    {302, "Found"},
    {303, "See Other"},
    {304, "Not Modified"},
    {307, "Temporary Redirect"},
    {308, "Permanent Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {406, "Not Acceptable"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {410, "Gone"},
    {411, "Length Required"},
    {412, "Precondition Failed"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {416, "Range Not Satisfiable"},
    {417, "Expectation Failed"},
    {421, "Misdirected Request"},
    {422, "Unprocessable Content"},
    {426, "Upgrade Required"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {505, "HTTP Version Not Supported"},
};

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

}  // namespace

std::string_view method_name(Method method) {
  for (const auto& [name, value] : method_names) {
    if (value == method) return name;
  }
  return {};
}

Method parse_method(std::string_view name) {
  for (const auto& [text, value] : method_names) {
    if (text == name) return value;
  }
  return Method::unknown;
}

std::string_view reason_phrase(int status) {
  for (const auto& [code, text] : reasons) {
    if (code == status) return text;
  }
  return "Unknown";
}

bool equal_ignoring_case(std::string_view left, std::string_view right) {
  if (left.size() != right.size()) return false;
  for (std::size_t i = 0; i < left.size(); ++i) {
    if (lower(left[i]) != lower(right[i])) return false;
  }
  return true;
}

Headers::Field Headers::operator[](std::size_t index) const {
  const Entry& entry = entries_[index];
  const std::string_view all = bytes_;
  return {all.substr(entry.name_at, entry.name_size), all.substr(entry.value_at, entry.value_size)};
}

Headers::Iterator Headers::begin() const { return {*this, 0}; }
Headers::Iterator Headers::end() const { return {*this, entries_.size()}; }

void Headers::add(std::string_view name, std::string_view value) {
  if (entries_.empty()) {
    entries_.reserve(12);
    bytes_.reserve(384);
  }
  Entry entry{};
  entry.name_at = static_cast<std::uint32_t>(bytes_.size());
  entry.name_size = static_cast<std::uint32_t>(name.size());
  entry.value_at = entry.name_at + entry.name_size;
  entry.value_size = static_cast<std::uint32_t>(value.size());
  bytes_.append(name).append(value);
  entries_.push_back(entry);
}

void Headers::set(std::string_view name, std::string_view value) {
  remove(name);
  add(name, value);
}

void Headers::remove(std::string_view name) {
  const std::string_view all = bytes_;
  std::erase_if(entries_, [&](const Entry& entry) {
    return equal_ignoring_case(all.substr(entry.name_at, entry.name_size), name);
  });
}

void Headers::clear() {
  bytes_.clear();
  entries_.clear();
}

std::optional<std::string_view> Headers::find(std::string_view name) const {
  for (const Field field : *this) {
    if (equal_ignoring_case(field.name, name)) return field.value;
  }
  return std::nullopt;
}

std::string_view Headers::get(std::string_view name) const {
  return find(name).value_or(std::string_view());
}

std::vector<std::string_view> Headers::all(std::string_view name) const {
  std::vector<std::string_view> values;
  for (const Field field : *this) {
    if (equal_ignoring_case(field.name, name)) values.push_back(field.value);
  }
  return values;
}

bool Headers::has_token(std::string_view name, std::string_view token) const {
  for (const Field field : *this) {
    if (!equal_ignoring_case(field.name, name)) continue;
    std::string_view rest = field.value;
    while (!rest.empty()) {
      const auto comma = rest.find(',');
      if (equal_ignoring_case(trimmed(rest.substr(0, comma)), token)) return true;
      rest = comma == std::string_view::npos ? std::string_view() : rest.substr(comma + 1);
    }
  }
  return false;
}

std::string_view Request::path() const {
  return std::string_view(target).substr(0, target.find('?'));
}

std::string_view Request::query() const {
  const auto mark = target.find('?');
  return mark == std::string::npos ? std::string_view() : std::string_view(target).substr(mark + 1);
}

Response Response::text(int status, std::string body, std::string_view content_type) {
  Response response;
  response.status = status;
  response.headers.add("Content-Type", content_type);
  response.body = std::move(body);
  return response;
}

std::size_t body_size(const Body& body) {
  if (const auto* whole = std::get_if<std::string>(&body)) return whole->size();
  if (const auto* shared = std::get_if<Segment>(&body)) return *shared ? (*shared)->size() : 0;
  std::size_t total = 0;
  if (const auto* segments = std::get_if<Segments>(&body)) {
    for (const Segment& segment : *segments) total += segment ? segment->size() : 0;
  }
  return total;
}

std::string body_text(const Body& body) {
  if (const auto* whole = std::get_if<std::string>(&body)) return *whole;
  if (const auto* shared = std::get_if<Segment>(&body)) return *shared ? **shared : std::string();
  std::string text;
  if (const auto* segments = std::get_if<Segments>(&body)) {
    text.reserve(body_size(body));
    for (const Segment& segment : *segments) {
      if (segment) text += *segment;
    }
  }
  return text;
}

}  // namespace koi::http
