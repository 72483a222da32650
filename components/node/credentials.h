#pragma once

#include <string>

#include "base/files.h"
#include "base/random.h"
#include "base/result.h"
#include "node/pki.h"

namespace koi::node {

// The administrator's kubeconfig, YAML: cluster, user and context named "koi".
std::string render_kubeconfig(const Pki& pki, const std::string& server_url);

// The secret that nodes join with: what was asked for, else what the token file holds, else a new
// one that is written there. Fails with conflict when the file holds another than asked for.
base::Result<std::string> ensure_token(base::Files& files, base::Random& random,
                                       const base::Path& path, const std::string& wanted);

}  // namespace koi::node
