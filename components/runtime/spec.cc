#include "runtime/spec.h"

namespace koi::runtime {

const NamespaceSpec* Spec::find_namespace(std::string_view type) const {
  for (const NamespaceSpec& entry : namespaces) {
    if (entry.type == type) return &entry;
  }
  return nullptr;
}

std::vector<std::string> default_masked_paths() {
  return {"/proc/asound",     "/proc/acpi",        "/proc/interrupts",
          "/proc/kcore",      "/proc/keys",        "/proc/latency_stats",
          "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug",
          "/proc/scsi",       "/sys/firmware",     "/sys/devices/virtual/powercap"};
}

std::vector<std::string> default_read_only_paths() {
  return {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"};
}

}  // namespace koi::runtime
