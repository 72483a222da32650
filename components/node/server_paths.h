#pragma once

#include "base/files.h"

namespace koi::node {

// Below <data-dir>:
//
//   server/                    0700
//     token                    0600  what nodes join with
//     db/                            the datastore (datastore/sqlite_log.h draws it)
//     tls/
//       server-ca.crt  .key    0600  signs the API server's certificate
//       client-ca.crt  .key    0600  signs every client's certificate
//       serving.crt    .key    0600  the API server's own
//       admin.crt      .key    0600  system:masters
//       service-account.key    0600  signs service account tokens
//   agent/                     0700  the node (agent/agent_paths.h draws it)
//     images/                        archives found here are imported at start
//     koi.sock                 0600  this node's commands: `koi image`
class ServerPaths {
 public:
  explicit ServerPaths(base::Path data_dir) : root_(std::move(data_dir)) {}

  base::Path server() const { return root_ / "server"; }
  base::Path token() const { return server() / "token"; }
  base::Path datastore() const { return server() / "db"; }
  base::Path tls() const { return server() / "tls"; }
  base::Path certificate(std::string_view name) const {
    return tls() / (std::string(name) + ".crt");
  }
  base::Path key(std::string_view name) const { return tls() / (std::string(name) + ".key"); }
  base::Path agent() const { return root_ / "agent"; }
  base::Path node_socket() const { return agent() / "koi.sock"; }

 private:
  base::Path root_;
};

}  // namespace koi::node
