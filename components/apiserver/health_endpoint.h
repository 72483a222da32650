#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "apiserver/exchange.h"
#include "datastore/store.h"

namespace koi::apiserver {

// /healthz, /livez and /readyz, each with ?verbose, ?exclude= and single checks below it. Any
// thread.
class HealthEndpoint {
 public:
  explicit HealthEndpoint(const datastore::Store& store) : store_(store) {}

  // Ready once the first objects are there; not any more while the server stops.
  void set_ready(bool ready) { ready_.store(ready); }

  // Null for other paths.
  std::unique_ptr<http::Response> serve(const Exchange& exchange,
                                        const std::vector<std::string>& steps) const;

 private:
  struct Check {
    std::string name;
    bool passed = true;
  };
  std::vector<Check> checks(std::string_view endpoint) const;

  const datastore::Store& store_;
  std::atomic<bool> ready_{false};
};

}  // namespace koi::apiserver
