#pragma once

#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "auth/identity.h"
#include "auth/service_account_tokens.h"
#include "base/result.h"

namespace koi::auth {

struct StaticToken {
  std::string token;
  Identity identity;
};

// Lines of `token,user,uid,"group1,group2"`; empty ones and those behind '#' do not count. Fails
// with invalid and the line's number.
base::Result<std::vector<StaticToken>> parse_token_file(std::string_view text);

// What a connection and its request show about who sends them.
struct Credentials {
  std::string common_name{};  // of a verified client certificate
  std::vector<std::string> organizations{};
  std::string certificate_error{};
  std::string authorization{};  // the header
};

// Says who sends a request. Any thread.
class Authenticator {
 public:
  Authenticator(const std::vector<StaticToken>& tokens,
                std::shared_ptr<const ServiceAccountTokens> service_accounts);

  // Nothing shown makes the anonymous identity; something wrong shown fails with unauthorized.
  base::Result<Identity> authenticate(const Credentials& credentials) const;

  // A bearer token alone, for the given audiences (empty: the server's own).
  base::Result<VerifiedToken> check_token(std::string_view token,
                                          const std::vector<std::string>& audiences) const;

 private:
  std::unordered_map<std::string, Identity> tokens_;  // by SHA-256
  std::shared_ptr<const ServiceAccountTokens> service_accounts_;
};

}  // namespace koi::auth
