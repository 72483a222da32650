#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/task.h"
#include "base/time.h"

namespace koi::agent {

struct HttpProbe {
  std::string host;  // address or name
  std::uint16_t port = 0;
  std::string path = "/";
  std::vector<std::pair<std::string, std::string>> headers;
};

struct ProbeOutcome {
  bool success = false;
  std::string message;  // what the Unhealthy event says after "Readiness probe failed: "
};

// The door through which probes and lifecycle hooks reach pods. Calls never fail; one that takes
// longer than `timeout` is no success.
class Prober {
 public:
  virtual ~Prober() = default;
  virtual base::Task<ProbeOutcome> http_get(HttpProbe probe, base::Duration timeout) = 0;
  virtual base::Task<ProbeOutcome> tcp_connect(std::string host, std::uint16_t port,
                                               base::Duration timeout) = 0;
};

// Probes over real sockets of the node.
std::unique_ptr<Prober> make_prober();

}  // namespace koi::agent
