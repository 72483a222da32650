#pragma once

#include <map>
#include <string>

#include "agent/downward.h"
#include "agent/references.h"
#include "agent/volume_disk.h"

namespace koi::agent {

// A service account token that a volume asks for.
struct TokenRequest {
  std::string audience;  // empty: the API server's own
  std::int64_t expiration_seconds = 3600;

  friend auto operator<=>(const TokenRequest&, const TokenRequest&) = default;
};

// The tokens that a pod's projected volumes ask for.
std::vector<TokenRequest> token_requests_of(const json::Value& pod);

struct VolumeInputs {
  const json::Value* pod = nullptr;
  const ReferenceMap* references = nullptr;
  const std::map<TokenRequest, std::string>* tokens = nullptr;
  DownwardFacts facts;
};

// True for volumes whose files koi writes: configMap, secret, downwardAPI, projected.
bool is_filled_volume(const json::Value& volume);
// True for those of them that hold secrets and therefore live in memory only.
bool is_secret_volume(const json::Value& volume);

// The files of such a volume. Fails with invalid and the text that a FailedMount event shows. Pure.
base::Result<VolumeContent> volume_content(const json::Value& volume, const VolumeInputs& inputs);

}  // namespace koi::agent
