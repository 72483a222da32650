#pragma once

#include <functional>

#include "base/result.h"
#include "linux/fd.h"

namespace koi::linux {

// A new, empty network namespace; it goes away with the last descriptor, process and mount on it.
base::Result<UniqueFd> make_net_namespace();

// The calling thread's.
base::Result<UniqueFd> current_net_namespace();

// Runs `work` on a thread of its own inside the namespace and waits for it: the caller stays where
// it is. Sockets made by `work` stay in the namespace wherever they are used.
base::Result<> in_net_namespace(int net_namespace, const std::function<base::Result<>()>& work);

// Reads or writes a file below /proc/sys of the calling thread's network namespace
// ("net/ipv4/ip_forward"). Writing succeeds without a write when the value is already there.
base::Result<std::string> read_sysctl(const std::string& name);
base::Result<> write_sysctl(const std::string& name, const std::string& value);

}  // namespace koi::linux
