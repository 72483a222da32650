#pragma once

#include <string>

#include "apiserver/operations.h"
#include "base/result.h"
#include "base/task.h"

namespace koi::apiserver {

struct BootstrapOptions {
  std::string service_address;    // of the `kubernetes` service
  std::string advertise_address;  // where the API server itself is reached; may be empty
  int port = 6443;
};

// Makes what every cluster begins with and is missing: system namespaces, priority classes, roles
// and bindings, and the `kubernetes` service with its endpoints.
base::Task<base::Result<>> make_first_objects(Operations& operations,
                                              const BootstrapOptions& options);

}  // namespace koi::apiserver
