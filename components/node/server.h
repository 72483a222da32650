#pragma once

#include "node/server_options.h"

namespace koi::node {

// The whole of `koi server`: starts, serves until SIGTERM or SIGINT, stops in reverse. Returns the
// exit code; what went wrong is on stderr.
int run_server(const ServerOptions& options);

}  // namespace koi::node
