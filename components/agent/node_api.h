#pragma once

#include "agent/agent.h"
#include "base/blocking_pool.h"
#include "base/time.h"
#include "http/message.h"
#include "http/server.h"

namespace koi::agent {

// What the API server asks of a node, at the paths of the kubelet:
//   GET /containerLogs/<namespace>/<pod>/<container>?follow&previous&timestamps&tailLines&
//       sinceSeconds&sinceTime&limitBytes&stream
//   GET /pods      the node's pods as the agent sees them
//   GET /healthz
// Whom it lets in is its server's business. Called on the agent's executor.
class NodeApi final : public http::Handler {
 public:
  NodeApi(Agent& agent, base::Clock& clock, base::BlockingPool& pool, base::Executor executor);

  base::Task<http::Response> handle(http::Request& request) override;

 private:
  http::Response container_logs(const http::Request& request, const std::vector<std::string>& path);
  http::Response list_pods() const;

  Agent& agent_;
  base::Clock& clock_;
  base::BlockingPool& pool_;
  base::Executor executor_;
};

}  // namespace koi::agent
