#include "agent/expansion.h"

namespace koi::agent {

std::string expand_references(std::string_view text, const Lookup& lookup) {
  std::string result;
  std::size_t i = 0;
  while (i < text.size()) {
    if (text[i] != '$' || i + 1 == text.size()) {
      result += text[i++];
      continue;
    }
    if (text[i + 1] == '$') {
      result += '$';
      i += 2;
      continue;
    }
    const auto end = text[i + 1] == '(' ? text.find(')', i + 2) : std::string_view::npos;
    if (end == std::string_view::npos) {
      result += text[i++];
      continue;
    }
    const auto name = text.substr(i + 2, end - i - 2);
    const auto value = lookup(name);
    result += value ? *value : std::string(text.substr(i, end - i + 1));
    i = end + 1;
  }
  return result;
}

}  // namespace koi::agent
