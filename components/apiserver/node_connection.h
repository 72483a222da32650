#pragma once

#include <string>

#include "base/result.h"
#include "base/task.h"
#include "http/message.h"

namespace koi::apiserver {

// The way to the agent of a node: for what only the node can answer, such as container logs.
class NodeConnection {
 public:
  virtual ~NodeConnection() = default;
  // Passes a request with a path of the agent's own API ("/containerLogs/<namespace>/<pod>/
  // <container>?follow=true") on; the body may stream. Fails with unavailable when the node cannot
  // be reached.
  virtual base::Task<base::Result<http::Response>> proxy(const std::string& node,
                                                         http::Request request) = 0;
};

}  // namespace koi::apiserver
