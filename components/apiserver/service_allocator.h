#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "api/status.h"
#include "json/value.h"

namespace koi::apiserver {

class ServiceAllocator;

// Addresses and ports taken for one write; given back when it is dropped, unless the write is under
// way or done: what may be stored stays taken.
class ServiceClaim {
 public:
  ServiceClaim() = default;
  ServiceClaim(ServiceClaim&& other) noexcept
      : owner_(std::exchange(other.owner_, nullptr)),
        addresses_(std::move(other.addresses_)),
        ports_(std::move(other.ports_)),
        held_(other.held_) {}
  ServiceClaim& operator=(ServiceClaim&&) = delete;
  ~ServiceClaim();

  // The write begins: a task that is cancelled from here on no longer knows how it ends.
  void hold() { held_ = true; }
  // The write failed.
  void give_back() { held_ = false; }

 private:
  friend class ServiceAllocator;
  ServiceAllocator* owner_ = nullptr;
  std::vector<std::uint32_t> addresses_;
  std::vector<int> ports_;
  bool held_ = false;
};

// Which cluster addresses and node ports are taken. Rebuilt from the services at start. IPv4. Any
// thread.
class ServiceAllocator {
 public:
  struct Options {
    std::string cidr = "10.43.0.0/16";
    int node_port_min = 30'000;
    int node_port_max = 32'767;
  };

  // Fails with invalid when the CIDR is not IPv4 with 2 to 2^20 addresses.
  static base::Result<std::unique_ptr<ServiceAllocator>> create(const Options& options);

  // Fills in or checks clusterIP(s) and node ports of a service. `before` is its stored state, or
  // null.
  api::StatusOr<ServiceClaim> assign(json::Value& service, const json::Value* before);
  // Takes what a stored service holds.
  void restore(const json::Value& service);
  // Gives back what a removed service held.
  void release(const json::Value& service);
  // The address of the `kubernetes` service.
  std::string first_address() const;

 private:
  friend class ServiceClaim;
  explicit ServiceAllocator(const Options& options) : options_(options) {}

  api::StatusOr<void> assign_address(json::Value& service, const json::Value* before,
                                     ServiceClaim& claim);
  api::StatusOr<void> assign_ports(json::Value& service, const json::Value* before,
                                   ServiceClaim& claim);
  std::uint32_t next_address();
  int next_port();

  Options options_;
  std::uint32_t network_ = 0;
  std::uint32_t size_ = 0;
  std::mutex mutex_;
  std::set<std::uint32_t> addresses_;
  std::set<int> ports_;
  std::uint32_t address_hint_ = 0;
  int port_hint_ = 0;
};

}  // namespace koi::apiserver
