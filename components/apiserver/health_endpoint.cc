#include "apiserver/health_endpoint.h"

#include <algorithm>

namespace koi::apiserver {

std::vector<HealthEndpoint::Check> HealthEndpoint::checks(std::string_view endpoint) const {
  std::vector<Check> out;
  out.push_back({"ping"});
  out.push_back({"log"});
  out.push_back({"datastore", store_.current_revision() >= 0});
  const bool ready = ready_.load();
  out.push_back({"poststarthook/bootstrap", endpoint != "readyz" || ready});
  return out;
}

std::unique_ptr<http::Response> HealthEndpoint::serve(const Exchange& exchange,
                                                      const std::vector<std::string>& steps) const {
  if (steps.empty()) return nullptr;
  const std::string& endpoint = steps[0];
  if (endpoint != "healthz" && endpoint != "livez" && endpoint != "readyz") return nullptr;
  std::string wanted;
  for (std::size_t i = 1; i < steps.size(); ++i) wanted += (i > 1 ? "/" : "") + steps[i];
  std::string lines;
  bool is_known = wanted.empty();
  bool passed = true;
  const std::vector<std::string_view> excluded = exchange.query.all("exclude");
  for (const Check& check : checks(endpoint)) {
    if (!wanted.empty() && check.name != wanted) continue;
    is_known = true;
    if (std::ranges::find(excluded, check.name) != excluded.end()) {
      lines += "[+]" + check.name + " excluded: ok\n";
      continue;
    }
    passed = passed && check.passed;
    lines += (check.passed ? "[+]" : "[-]") + check.name +
             (check.passed ? " ok\n" : " failed: reason withheld\n");
  }
  auto response = std::make_unique<http::Response>();
  response->headers.set("Content-Type", "text/plain; charset=utf-8");
  response->headers.set("X-Content-Type-Options", "nosniff");
  response->status = !is_known ? 404 : passed ? 200 : 500;
  if (!is_known) {
    response->body = std::string("404 page not found\n");
  } else if (!passed) {
    response->body = lines + endpoint + " check failed\n";
  } else if (exchange.query.contains("verbose")) {
    response->body = lines + endpoint + " check passed\n";
  } else {
    response->body = std::string("ok");
  }
  return response;
}

}  // namespace koi::apiserver
