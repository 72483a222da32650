#pragma once

#include <cstdint>
#include <string>

#include "base/files.h"

// The agent's disk. Nothing else builds these paths.
//
//   <data>/pods/<uid>/volumes/<volume>/    emptyDir; or ..data and links to its files
//   <data>/pods/<uid>/etc/hosts            bound into every container
//   <data>/pods/<uid>/etc/hostname
//   <data>/pods/<uid>/etc/resolv.conf
//   <logs>/<namespace>_<name>_<uid>/<container>/<attempt>.log     CRI lines; rotated to .log.1, ...
namespace koi::agent {

class AgentPaths {
 public:
  AgentPaths(base::Path data, base::Path logs) : data_(std::move(data)), logs_(std::move(logs)) {}

  base::Path pods() const { return data_ / "pods"; }
  base::Path pod(const std::string& uid) const { return pods() / uid; }
  base::Path volumes(const std::string& uid) const { return pod(uid) / "volumes"; }
  base::Path volume(const std::string& uid, const std::string& name) const {
    return volumes(uid) / name;
  }
  base::Path pod_file(const std::string& uid, const char* name) const {
    return pod(uid) / "etc" / name;
  }

  const base::Path& logs() const { return logs_; }
  base::Path pod_logs(const std::string& name_space, const std::string& name,
                      const std::string& uid) const {
    return logs_ / (name_space + "_" + name + "_" + uid);
  }
  base::Path container_logs(const base::Path& pod_logs_directory,
                            const std::string& container) const {
    return pod_logs_directory / container;
  }
  static std::string log_name(std::uint32_t attempt) { return std::to_string(attempt) + ".log"; }

 private:
  base::Path data_;
  base::Path logs_;
};

}  // namespace koi::agent
