#include <sys/statvfs.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <charconv>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>

#include "agent/machine_facts.h"

namespace koi::agent {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t file_bytes_max = 256 * 1024;

std::string read_file(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(file), {}};
  if (text.size() > file_bytes_max) text.resize(file_bytes_max);
  return text;
}

std::string first_line(const fs::path& path) {
  auto text = read_file(path);
  text.resize(std::min(text.find('\n'), text.size()));
  return text;
}

std::int64_t number_in(std::string_view text) {
  const auto digit = text.find_first_of("0123456789");
  if (digit == std::string_view::npos) return 0;
  text.remove_prefix(digit);
  std::int64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

// A value of /proc/meminfo, which counts in KiB.
std::int64_t memory_bytes(const std::string& meminfo, std::string_view field) {
  std::istringstream lines(meminfo);
  std::string line;
  while (std::getline(lines, line)) {
    if (line.starts_with(field) && line.size() > field.size() && line[field.size()] == ':') {
      return number_in(line) * 1024;
    }
  }
  return 0;
}

// PRETTY_NAME of os-release, without its quotes.
std::string os_image() {
  std::istringstream lines(read_file("/etc/os-release"));
  std::string line;
  while (std::getline(lines, line)) {
    constexpr std::string_view key = "PRETTY_NAME=";
    if (!line.starts_with(key)) continue;
    auto value = line.substr(key.size());
    if (value.size() > 1 && value.front() == '"') value = value.substr(1, value.size() - 2);
    return value;
  }
  return "Linux";
}

std::string architecture_of(const std::string& machine) {
  if (machine == "x86_64") return "amd64";
  return machine == "aarch64" ? "arm64" : machine;
}

std::map<std::string, std::int64_t> huge_pages() {
  std::map<std::string, std::int64_t> pages;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator("/sys/kernel/mm/hugepages", error)) {
    const auto kibibytes = number_in(entry.path().filename().string());
    if (kibibytes <= 0) continue;
    const bool gibi = kibibytes % (1024 * 1024) == 0;
    const auto name = gibi ? std::to_string(kibibytes / (1024 * 1024)) + "Gi"
                           : std::to_string(kibibytes / 1024) + "Mi";
    pages[name] = number_in(first_line(entry.path() / "nr_hugepages")) * kibibytes * 1024;
  }
  return pages;
}

class OsMachineFacts final : public MachineFacts {
 public:
  explicit OsMachineFacts(std::string data_directory) : data_(std::move(data_directory)) {}

  SystemInfo system() const override {
    SystemInfo info;
    info.machine_id = first_line("/etc/machine-id");
    info.system_uuid = first_line("/sys/class/dmi/id/product_uuid");
    if (info.system_uuid.empty()) info.system_uuid = info.machine_id;
    info.boot_id = first_line("/proc/sys/kernel/random/boot_id");
    utsname names{};
    ::uname(&names);
    info.kernel_version = names.release;
    info.architecture = architecture_of(names.machine);
    info.os_image = os_image();
    return info;
  }

  MachineCapacity capacity() const override {
    MachineCapacity capacity;
    capacity.cpu_milli = ::sysconf(_SC_NPROCESSORS_ONLN) * 1000;
    capacity.memory_bytes = memory_bytes(read_file("/proc/meminfo"), "MemTotal");
    capacity.storage_bytes = storage().first;
    capacity.huge_pages_bytes = huge_pages();
    return capacity;
  }

  MachinePressure pressure() const override {
    MachinePressure left;
    left.memory_available_bytes = memory_bytes(read_file("/proc/meminfo"), "MemAvailable");
    left.storage_available_bytes = storage().second;
    left.pids_max = number_in(first_line("/proc/sys/kernel/pid_max"));
    // "0.20 0.18 0.12 1/80 11206": running and existing tasks.
    const auto load = first_line("/proc/loadavg");
    const auto slash = load.find('/');
    if (slash != std::string::npos) left.pids_used = number_in(load.substr(slash));
    return left;
  }

  std::string hosts_file() const override { return read_file("/etc/hosts"); }

  // A resolver on the node's loopback answers no pod: systemd keeps the real servers beside it.
  std::string resolv_conf() const override {
    auto text = read_file("/etc/resolv.conf");
    if (text.find("nameserver 127.0.0.53") == std::string::npos) return text;
    auto real = read_file("/run/systemd/resolve/resolv.conf");
    return real.empty() ? text : real;
  }

 private:
  // Total and available bytes. The nearest existing parent stands in for a directory to be made.
  std::pair<std::int64_t, std::int64_t> storage() const {
    fs::path path = data_;
    std::error_code error;
    while (!fs::exists(path, error) && path.has_relative_path()) path = path.parent_path();
    struct statvfs info{};
    if (::statvfs(path.c_str(), &info) != 0) return {0, 0};
    const auto block = static_cast<std::int64_t>(info.f_frsize);
    return {block * static_cast<std::int64_t>(info.f_blocks),
            block * static_cast<std::int64_t>(info.f_bavail)};
  }

  const std::string data_;
};

}  // namespace

std::unique_ptr<MachineFacts> make_machine_facts(std::string data_directory) {
  return std::make_unique<OsMachineFacts>(std::move(data_directory));
}

}  // namespace koi::agent
