#pragma once

#include <string>
#include <string_view>

namespace koi::node {

// Tells the service manager of NOTIFY_SOCKET ("READY=1", "STOPPING=1"); does nothing without one.
// A manager that does not listen is no failure of ours.
void notify_service_manager(const std::string& socket, std::string_view state);

}  // namespace koi::node
