#include "node/node_identity.h"

#include "crypto/digest.h"

namespace koi::node {

std::string cgroup_parent(const base::Path& data_dir) {
  if (data_dir == "/var/lib/koi") return "koi";
  return "koi-" + crypto::sha256_hex(data_dir.lexically_normal().string()).substr(0, 8);
}

}  // namespace koi::node
