#pragma once

#include <memory>
#include <string>

#include "agent/agent.h"
#include "agent/log_cursor.h"
#include "base/blocking_pool.h"
#include "http/message.h"

namespace koi::agent {

// What is asked of one container's log.
struct LogRequest {
  std::string name_space;
  std::string pod;
  std::string container;
  bool previous = false;
  LogOptions options;
};

// The log as a response body. Followed, it ends when the container has ended and all of its log was
// read; between writes it sleeps until the kernel reports one. Fails like Agent::find_log(). The
// agent and the pool outlive the result.
base::Result<std::unique_ptr<http::BodyStream>> read_log(Agent& agent, base::BlockingPool& pool,
                                                         const base::Executor& executor,
                                                         const LogRequest& request);

}  // namespace koi::agent
