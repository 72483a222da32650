#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>

#include "json/value.h"

namespace koi::json {

namespace {

// What follows the backslash for each byte that needs one: 'u' for the long form, 0 for none.
constexpr std::array<char, 256> make_escapes() {
  std::array<char, 256> escapes{};
  for (std::size_t byte = 0; byte < 0x20; ++byte) escapes[byte] = 'u';
  escapes['"'] = '"';
  escapes['\\'] = '\\';
  escapes['\b'] = 'b';
  escapes['\f'] = 'f';
  escapes['\n'] = 'n';
  escapes['\r'] = 'r';
  escapes['\t'] = 't';
  return escapes;
}

constexpr auto escapes = make_escapes();

void write_string(std::string& out, std::string_view text) {
  static constexpr char digits[] = "0123456789abcdef";
  out += '"';
  std::size_t written = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    const char escape = escapes[byte];
    if (escape == 0) continue;
    out += text.substr(written, i - written);
    written = i + 1;
    out += '\\';
    out += escape;
    if (escape == 'u') {
      out += "00";
      out += digits[byte >> 4U];
      out += digits[byte & 15U];
    }
  }
  out += text.substr(written);
  out += '"';
}

template <class Number>
void write_number(std::string& out, Number number) {
  char buffer[40];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, number);
  out.append(buffer, end.ptr);
}

void write(std::string& out, const Value& value);

void write_array(std::string& out, const Array& items) {
  out += '[';
  bool first = true;
  for (const auto& item : items) {
    if (!first) out += ',';
    first = false;
    write(out, item);
  }
  out += ']';
}

void write_object(std::string& out, const Object& object) {
  out += '{';
  bool first = true;
  for (const auto& member : object) {
    if (!first) out += ',';
    first = false;
    write_string(out, {member.key().data(), member.key().size()});
    out += ':';
    write(out, member.value());
  }
  out += '}';
}

void write(std::string& out, const Value& value) {
  switch (value.kind()) {
    case boost::json::kind::null:
      out += "null";
      break;
    case boost::json::kind::bool_:
      out += value.get_bool() ? "true" : "false";
      break;
    case boost::json::kind::int64:
      write_number(out, value.get_int64());
      break;
    case boost::json::kind::uint64:
      write_number(out, value.get_uint64());
      break;
    case boost::json::kind::double_:
      // JSON has no word for what is no finite number.
      if (std::isfinite(value.get_double())) {
        write_number(out, value.get_double());
      } else {
        out += "null";
      }
      break;
    case boost::json::kind::string:
      write_string(out, {value.get_string().data(), value.get_string().size()});
      break;
    case boost::json::kind::array:
      write_array(out, value.get_array());
      break;
    case boost::json::kind::object:
      write_object(out, value.get_object());
      break;
  }
}

}  // namespace

// Own, because Boost writes 1.5 as 1.5E0.
std::string serialize(const Value& value) {
  std::string out;
  out.reserve(1024);
  write(out, value);
  return out;
}

}  // namespace koi::json
