#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>

namespace koi::agent {

struct SystemInfo {
  std::string machine_id;
  std::string system_uuid;
  std::string boot_id;
  std::string kernel_version;
  std::string os_image;
  std::string operating_system = "linux";
  std::string architecture;  // "amd64", "arm64"
};

struct MachineCapacity {
  std::int64_t cpu_milli = 0;
  std::int64_t memory_bytes = 0;
  std::int64_t storage_bytes = 0;                        // of the file system with the data
  std::map<std::string, std::int64_t> huge_pages_bytes;  // "2Mi" -> bytes set aside
};

// How much is left, for the node's pressure conditions.
struct MachinePressure {
  std::int64_t memory_available_bytes = 0;
  std::int64_t storage_available_bytes = 0;
  std::int64_t pids_max = 0;
  std::int64_t pids_used = 0;
};

// The machine that the agent runs on. Cheap calls that never fail: what cannot be read is empty.
class MachineFacts {
 public:
  virtual ~MachineFacts() = default;

  virtual SystemInfo system() const = 0;
  virtual MachineCapacity capacity() const = 0;
  virtual MachinePressure pressure() const = 0;
  virtual std::string hosts_file() const = 0;   // /etc/hosts
  virtual std::string resolv_conf() const = 0;  // /etc/resolv.conf
};

// The real machine; storage is that of the file system that holds `data_directory`.
std::unique_ptr<MachineFacts> make_machine_facts(std::string data_directory);

}  // namespace koi::agent
