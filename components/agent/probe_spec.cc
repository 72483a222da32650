#include "agent/probe_spec.h"

#include <charconv>
#include <chrono>

namespace koi::agent {

namespace {

using std::chrono::seconds;

std::int64_t at_least(std::int64_t value, std::int64_t least) {
  return value < least ? least : value;
}

std::uint16_t narrow_port(std::int64_t port) {
  return port > 0 && port < 65'536 ? static_cast<std::uint16_t>(port) : std::uint16_t{0};
}

std::uint16_t port_of(const json::Value& action, const json::Value& container) {
  if (const auto number = json::int_at(action, {"port"})) return narrow_port(*number);
  const auto name = json::string_at(action, {"port"});
  for (const auto& port : json::array_at(container, {"ports"})) {
    if (json::string_at(port, {"name"}) == name) {
      return narrow_port(json::int_at(port, {"containerPort"}, 0));
    }
  }
  std::int64_t number = 0;
  std::from_chars(name.data(), name.data() + name.size(), number);
  return narrow_port(number);
}

std::string host_of(const json::Value& action, const std::string& pod_ip) {
  const auto host = json::string_at(action, {"host"});
  return host.empty() ? pod_ip : std::string(host);
}

}  // namespace

std::string_view probe_title(ProbeKind kind) {
  if (kind == ProbeKind::startup) return "Startup";
  return kind == ProbeKind::liveness ? "Liveness" : "Readiness";
}

std::string_view probe_field(ProbeKind kind) {
  if (kind == ProbeKind::startup) return "startupProbe";
  return kind == ProbeKind::liveness ? "livenessProbe" : "readinessProbe";
}

ProbeSpec read_probe(const json::Value& probe) {
  ProbeSpec spec;
  spec.initial_delay = seconds{at_least(json::int_at(probe, {"initialDelaySeconds"}, 0), 0)};
  spec.timeout = seconds{at_least(json::int_at(probe, {"timeoutSeconds"}, 1), 1)};
  spec.period = seconds{at_least(json::int_at(probe, {"periodSeconds"}, 10), 1)};
  spec.success_threshold = at_least(json::int_at(probe, {"successThreshold"}, 1), 1);
  spec.failure_threshold = at_least(json::int_at(probe, {"failureThreshold"}, 3), 1);
  spec.grace_seconds = json::int_at(probe, {"terminationGracePeriodSeconds"});
  return spec;
}

std::optional<bool> ProbeTally::add(bool success) {
  run_ = run_ > 0 && last_ == success ? run_ + 1 : 1;
  last_ = success;
  const auto threshold = success ? spec_.success_threshold : spec_.failure_threshold;
  return run_ >= threshold ? std::optional(success) : std::nullopt;
}

ActionTarget read_action(const json::Value& action, const json::Value& container,
                         const std::string& pod_ip) {
  ActionTarget target;
  for (const auto& word : json::array_at(action, {"exec", "command"})) {
    if (word.is_string()) target.command.emplace_back(std::string_view(word.get_string()));
  }
  if (const auto* get = json::find(action, {"httpGet"})) {
    HttpProbe http;
    http.host = host_of(*get, pod_ip);
    http.port = port_of(*get, container);
    http.path = json::string_at(*get, {"path"});
    if (!http.path.starts_with('/')) http.path.insert(http.path.begin(), '/');
    for (const auto& header : json::array_at(*get, {"httpHeaders"})) {
      http.headers.emplace_back(json::string_at(header, {"name"}),
                                json::string_at(header, {"value"}));
    }
    target.http = std::move(http);
  }
  if (const auto* tcp = json::find(action, {"tcpSocket"})) {
    target.tcp.emplace(host_of(*tcp, pod_ip), port_of(*tcp, container));
  }
  if (const auto duration = json::int_at(action, {"sleep", "seconds"})) {
    target.sleep = seconds{at_least(*duration, 0)};
  }
  return target;
}

}  // namespace koi::agent
