#pragma once

#include <optional>
#include <string>
#include <vector>

#include "agent/prober.h"
#include "json/value.h"

namespace koi::agent {

enum class ProbeKind { startup, liveness, readiness };

// "Liveness", as events begin.
std::string_view probe_title(ProbeKind kind);
// "livenessProbe", as the container's spec calls it.
std::string_view probe_field(ProbeKind kind);

struct ProbeSpec {
  base::Duration initial_delay{};
  base::Duration timeout{};
  base::Duration period{};
  std::int64_t success_threshold = 1;
  std::int64_t failure_threshold = 3;
  std::optional<std::int64_t> grace_seconds;
};

// Reads timing with the API's defaults.
ProbeSpec read_probe(const json::Value& probe);

// What a probe's results add up to. A value: results in, verdicts out.
class ProbeTally {
 public:
  explicit ProbeTally(const ProbeSpec& spec) : spec_(spec) {}

  // Empty while neither threshold is reached, else the state of health.
  std::optional<bool> add(bool success);

 private:
  ProbeSpec spec_;
  std::int64_t run_ = 0;  // equal results in a row
  bool last_ = false;
};

// The action of a probe or hook: what to call. Ports may be named by the container's ports.
struct ActionTarget {
  std::vector<std::string> command;  // exec
  std::optional<HttpProbe> http;
  std::optional<std::pair<std::string, std::uint16_t>> tcp;
  std::optional<base::Duration> sleep;
};
ActionTarget read_action(const json::Value& action, const json::Value& container,
                         const std::string& pod_ip);

}  // namespace koi::agent
