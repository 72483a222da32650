#pragma once

#include "base/files.h"

namespace koi::node {

// Below <data-dir>, 0700:
//
//   lock                       0600  held by the koi that uses the directory
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
//     image-store/                   the node's images (images/store_paths.h draws it)
//     runtime/                       its pods' sandboxes (runtime/paths.h draws it)
//     network/                       its pods' addresses
//     imported.json                  which archives of images/ were imported
//     koi.sock                 0600  this node's commands: `koi image`
class ServerPaths {
 public:
  explicit ServerPaths(base::Path data_dir) : root_(std::move(data_dir)) {}

  base::Path lock() const { return root_ / "lock"; }
  base::Path server() const { return root_ / "server"; }
  base::Path token() const { return server() / "token"; }
  base::Path datastore() const { return server() / "db"; }
  base::Path tls() const { return server() / "tls"; }
  base::Path certificate(std::string_view name) const {
    return tls() / (std::string(name) + ".crt");
  }
  base::Path key(std::string_view name) const { return tls() / (std::string(name) + ".key"); }
  base::Path agent() const { return root_ / "agent"; }
  base::Path image_archives() const { return agent() / "images"; }
  base::Path image_store() const { return agent() / "image-store"; }
  base::Path image_record() const { return agent() / "imported.json"; }
  base::Path runtime() const { return agent() / "runtime"; }
  base::Path network() const { return agent() / "network"; }
  base::Path node_socket() const { return agent() / "koi.sock"; }

 private:
  base::Path root_;
};

}  // namespace koi::node
