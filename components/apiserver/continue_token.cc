#include "apiserver/continue_token.h"

#include <charconv>

namespace koi::apiserver {

namespace {

constexpr std::string_view version = "k1.";

}  // namespace

std::string ContinueToken::str() const {
  return std::string(version) + std::to_string(revision) + "." + start_after;
}

base::Result<ContinueToken> ContinueToken::parse(std::string_view text) {
  const auto bad = [] { return base::fail(base::Code::invalid, "continue key is not valid"); };
  if (!text.starts_with(version)) return bad();
  text.remove_prefix(version.size());
  const auto dot = text.find('.');
  if (dot == std::string_view::npos) return bad();
  ContinueToken token;
  const auto [end, error] = std::from_chars(text.data(), text.data() + dot, token.revision);
  if (error != std::errc() || end != text.data() + dot || token.revision < -1) return bad();
  token.start_after = text.substr(dot + 1);
  if (token.start_after.empty()) return bad();
  return token;
}

}  // namespace koi::apiserver
