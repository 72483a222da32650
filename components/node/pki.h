#pragma once

#include <string>
#include <vector>

#include "base/files.h"
#include "base/random.h"
#include "base/result.h"
#include "base/time.h"
#include "crypto/key.h"
#include "node/server_paths.h"

namespace koi::node {

// A certificate with its key, PEM.
struct KeyPair {
  std::string certificate;
  std::string key;
};

// Everything that the server proves itself and others with.
struct Pki {
  KeyPair server_ca;
  KeyPair client_ca;
  KeyPair serving;  // CN koi, with every name and address that clients use
  KeyPair admin;    // system:masters
  KeyPair agent;    // system:node:<name>, system:nodes
  crypto::PrivateKey service_account_key;
};

struct PkiOptions {
  std::string node_name;
  std::vector<std::string> dns_names;     // of the serving certificate, beyond the usual ones
  std::vector<std::string> ip_addresses;  // likewise
};

// Reads the files of the first start, or makes them. A leaf that expires within 90 days, or lacks a
// name, is made anew; authorities never are. Fails with corrupt when a file cannot be read as what
// it should be: nothing is replaced then. Also fails when the wall clock stands before an
// authority's first day, as after a lost battery.
base::Result<Pki> ensure_pki(base::Files& files, base::Clock& clock, base::Random& random,
                             const ServerPaths& paths, const PkiOptions& options);

}  // namespace koi::node
