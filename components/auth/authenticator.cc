#include "auth/authenticator.h"

#include <algorithm>

#include "crypto/digest.h"

namespace koi::auth {

namespace {

using base::Code;
using base::Result;

constexpr std::string_view authenticated = "system:authenticated";

std::vector<std::string> split(std::string_view text) {
  std::vector<std::string> out;
  while (!text.empty()) {
    const auto comma = std::min(text.find(','), text.size());
    if (comma != 0) out.emplace_back(text.substr(0, comma));
    text.remove_prefix(std::min(comma + 1, text.size()));
  }
  return out;
}

// "Bearer x" without regard to the case of the scheme; empty for other schemes.
std::string_view bearer_token(std::string_view header) {
  constexpr std::string_view scheme = "bearer ";
  if (header.size() < scheme.size()) return {};
  const bool matches =
      std::equal(scheme.begin(), scheme.end(), header.begin(), [](char wanted, char given) {
        return wanted == (given >= 'A' && given <= 'Z' ? static_cast<char>(given + 32) : given);
      });
  if (!matches) return {};
  header.remove_prefix(scheme.size());
  while (header.starts_with(' ')) header.remove_prefix(1);
  return header;
}

}  // namespace

Result<std::vector<StaticToken>> parse_token_file(std::string_view text) {
  std::vector<StaticToken> tokens;
  for (int line_number = 1; !text.empty(); ++line_number) {
    const auto end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty() || line.starts_with('#')) continue;
    std::string_view groups;
    if (const auto quote = line.find('"'); quote != std::string_view::npos) {
      groups = line.substr(quote + 1);
      groups = groups.substr(0, groups.find('"'));
      line = line.substr(0, quote);
    }
    const std::vector<std::string> fields = split(line);
    if (fields.size() < 2 || fields[0].size() < 16) {
      return base::fail(Code::invalid, "line " + std::to_string(line_number) +
                                           ": expected a token of 16 or more characters and a "
                                           "user, separated by a comma");
    }
    StaticToken token{fields[0], {.name = fields[1]}};
    if (fields.size() > 2) token.identity.uid = fields[2];
    token.identity.groups = split(groups);
    for (std::size_t i = 3; i < fields.size(); ++i) token.identity.groups.push_back(fields[i]);
    tokens.push_back(std::move(token));
  }
  return tokens;
}

Authenticator::Authenticator(const std::vector<StaticToken>& tokens,
                             std::shared_ptr<const ServiceAccountTokens> service_accounts)
    : service_accounts_(std::move(service_accounts)) {
  for (const StaticToken& token : tokens) {
    Identity identity = token.identity;
    if (!identity.in_group(authenticated)) identity.groups.emplace_back(authenticated);
    tokens_[crypto::sha256(token.token)] = std::move(identity);
  }
}

Result<Identity> Authenticator::authenticate(const Credentials& credentials) const {
  if (!credentials.certificate_error.empty()) {
    return base::fail(Code::unauthorized, credentials.certificate_error);
  }
  if (!credentials.common_name.empty()) {
    Identity identity{.name = credentials.common_name, .groups = credentials.organizations};
    identity.groups.emplace_back(authenticated);
    return identity;
  }
  if (credentials.authorization.empty()) return anonymous_identity();
  const std::string_view token = bearer_token(credentials.authorization);
  if (token.empty()) {
    return base::fail(Code::unauthorized, "the authorization header holds no bearer token");
  }
  auto verified = check_token(token, {});
  if (!verified) return base::fail(std::move(verified).error());
  return std::move(verified->identity);
}

Result<VerifiedToken> Authenticator::check_token(std::string_view token,
                                                 const std::vector<std::string>& audiences) const {
  if (const auto found = tokens_.find(crypto::sha256(token)); found != tokens_.end()) {
    return VerifiedToken{found->second, audiences};
  }
  if (service_accounts_ && ServiceAccountTokens::looks_like_token(token)) {
    return service_accounts_->verify(token, audiences);
  }
  return base::fail(Code::unauthorized, "the token is not known");
}

}  // namespace koi::auth
