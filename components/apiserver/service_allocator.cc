#include "apiserver/service_allocator.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <optional>

namespace koi::apiserver {

namespace {

// The low addresses are left for those who ask by number, such as the cluster's DNS.
constexpr std::uint32_t reserved_low_addresses = 256;
constexpr std::uint32_t addresses_max = 1U << 20U;

std::optional<std::uint32_t> parse_address(std::string_view text) {
  in_addr address{};
  if (inet_pton(AF_INET, std::string(text).c_str(), &address) != 1) return std::nullopt;
  return ntohl(address.s_addr);
}

std::string format_address(std::uint32_t address) {
  return std::to_string(address >> 24U) + "." + std::to_string(address >> 16U & 255U) + "." +
         std::to_string(address >> 8U & 255U) + "." + std::to_string(address & 255U);
}

std::string_view type_of(const json::Value& service) {
  const std::string_view type = json::string_at(service, {"spec", "type"});
  return type.empty() ? "ClusterIP" : type;
}

bool wants_address(const json::Value& service) {
  return type_of(service) != "ExternalName" &&
         json::string_at(service, {"spec", "clusterIP"}) != "None";
}

bool wants_ports(const json::Value& service) {
  const std::string_view type = type_of(service);
  if (type == "LoadBalancer") {
    return json::bool_at(service, {"spec", "allocateLoadBalancerNodePorts"}, true);
  }
  return type == "NodePort";
}

// Every node port that a service holds.
std::set<int> ports_of(const json::Value& service) {
  std::set<int> ports;
  for (const json::Value& port : json::array_at(service, {"spec", "ports"})) {
    ports.insert(static_cast<int>(json::int_at(port, {"nodePort"}, 0)));
  }
  ports.insert(static_cast<int>(json::int_at(service, {"spec", "healthCheckNodePort"}, 0)));
  ports.erase(0);
  return ports;
}

api::Status invalid(const json::Value& service, api::FieldError error) {
  return api::invalid_status("", "Service", json::string_at(service, {"metadata", "name"}),
                             {std::move(error)});
}

void set_addresses(json::Value& service, const std::string& address) {
  json::set(service, {"spec", "clusterIP"}, json::Value(address));
  json::Array& all = json::ensure_array(service, {"spec", "clusterIPs"});
  all.clear();
  all.emplace_back(address);
  if (json::array_at(service, {"spec", "ipFamilies"}).empty()) {
    json::ensure_array(service, {"spec", "ipFamilies"}).emplace_back("IPv4");
  }
  if (json::string_at(service, {"spec", "ipFamilyPolicy"}).empty()) {
    json::set(service, {"spec", "ipFamilyPolicy"}, "SingleStack");
  }
}

}  // namespace

ServiceClaim::~ServiceClaim() {
  if (owner_ == nullptr || held_) return;
  const std::lock_guard lock(owner_->mutex_);
  for (const std::uint32_t address : addresses_) owner_->addresses_.erase(address);
  for (const int port : ports_) owner_->ports_.erase(port);
}

base::Result<std::unique_ptr<ServiceAllocator>> ServiceAllocator::create(const Options& options) {
  const auto bad = [&options] {
    return base::fail(base::Code::invalid,
                      "service CIDR '" + options.cidr + "' is no IPv4 network of /12 to /31");
  };
  const auto slash = options.cidr.find('/');
  if (slash == std::string::npos) return bad();
  const auto network = parse_address(std::string_view(options.cidr).substr(0, slash));
  std::uint32_t bits = 0;
  const char* const end = options.cidr.data() + options.cidr.size();
  const auto [at, error] = std::from_chars(options.cidr.data() + slash + 1, end, bits);
  if (!network || error != std::errc() || at != end || bits < 12 || bits > 31) return bad();
  std::unique_ptr<ServiceAllocator> allocator(new ServiceAllocator(options));
  allocator->size_ = std::min(1U << (32U - bits), addresses_max);
  allocator->network_ = *network & ~((1U << (32U - bits)) - 1);
  return allocator;
}

std::string ServiceAllocator::first_address() const { return format_address(network_ + 1); }

std::uint32_t ServiceAllocator::next_address() {
  // Neither the network's own address nor its broadcast address.
  const std::uint32_t count = size_ > 2 ? size_ - 2 : 1;
  const std::uint32_t low = count > 2 * reserved_low_addresses ? reserved_low_addresses : 0;
  for (std::uint32_t i = 0; i < count; ++i) {
    const std::uint32_t offset = (low + address_hint_ + i) % count;
    const std::uint32_t address = network_ + 1 + offset;
    if (addresses_.contains(address)) continue;
    address_hint_ += i + 1;
    return address;
  }
  return 0;
}

int ServiceAllocator::next_port() {
  const int count = options_.node_port_max - options_.node_port_min + 1;
  for (int i = 0; i < count; ++i) {
    const int port = options_.node_port_min + (port_hint_ + i) % count;
    if (ports_.contains(port)) continue;
    port_hint_ = (port_hint_ + i + 1) % count;
    return port;
  }
  return 0;
}

api::StatusOr<void> ServiceAllocator::assign_address(json::Value& service,
                                                     const json::Value* before,
                                                     ServiceClaim& claim) {
  if (type_of(service) == "ExternalName") {
    for (const std::string_view field :
         {"clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"}) {
      json::erase(service, {"spec", field});
    }
    return {};
  }
  const std::string wanted(json::string_at(service, {"spec", "clusterIP"}));
  const std::string held(before != nullptr ? json::string_at(*before, {"spec", "clusterIP"})
                                           : std::string_view());
  if (!held.empty() && !wanted.empty() && wanted != held) {
    return std::unexpected(invalid(service, api::invalid("spec.clusterIPs[0]", json::Value(wanted),
                                                         "may not change once set")));
  }
  if (wanted == "None" || !held.empty()) {
    set_addresses(service, held.empty() ? wanted : held);
    return {};
  }
  std::uint32_t address = 0;
  if (wanted.empty()) {
    address = next_address();
    if (address == 0) {
      return std::unexpected(api::internal_status("failed to allocate a serviceIP: range is full"));
    }
  } else {
    const auto parsed = parse_address(wanted);
    if (!parsed || *parsed <= network_ || *parsed - network_ >= size_) {
      return std::unexpected(invalid(
          service, api::invalid("spec.clusterIPs", json::Value(json::Array{json::Value(wanted)}),
                                "failed to allocate IP " + wanted +
                                    ": the provided network does not match the current range")));
    }
    if (addresses_.contains(*parsed)) {
      return std::unexpected(invalid(
          service,
          api::invalid("spec.clusterIPs", json::Value(json::Array{json::Value(wanted)}),
                       "failed to allocate IP " + wanted + ": provided IP is already allocated")));
    }
    address = *parsed;
  }
  addresses_.insert(address);
  claim.addresses_.push_back(address);
  set_addresses(service, format_address(address));
  return {};
}

api::StatusOr<void> ServiceAllocator::assign_ports(json::Value& service, const json::Value* before,
                                                   ServiceClaim& claim) {
  const std::set<int> held = before != nullptr ? ports_of(*before) : std::set<int>();
  json::Array& ports = json::ensure_array(service, {"spec", "ports"});
  const bool wanted = wants_ports(service);
  std::size_t index = 0;
  for (json::Value& port : ports) {
    const std::string field = "spec.ports[" + std::to_string(index++) + "].nodePort";
    auto number = static_cast<int>(json::int_at(port, {"nodePort"}, 0));
    if (number != 0 && held.contains(number)) continue;
    if (number == 0) {
      if (!wanted) continue;
      number = next_port();
      if (number == 0) return std::unexpected(api::internal_status("no node port is free"));
      json::set(port, {"nodePort"}, number);
    } else if (number < options_.node_port_min || number > options_.node_port_max) {
      return std::unexpected(invalid(
          service, api::invalid(field, json::Value(number),
                                "provided port is not in the valid range. The range of valid "
                                "ports is " +
                                    std::to_string(options_.node_port_min) + "-" +
                                    std::to_string(options_.node_port_max))));
    } else if (ports_.contains(number) &&
               std::ranges::find(claim.ports_, number) == claim.ports_.end()) {
      return std::unexpected(invalid(
          service, api::invalid(field, json::Value(number), "provided port is already allocated")));
    }
    ports_.insert(number);
    claim.ports_.push_back(number);
  }
  return {};
}

api::StatusOr<ServiceClaim> ServiceAllocator::assign(json::Value& service,
                                                     const json::Value* before) {
  ServiceClaim claim;
  claim.owner_ = this;
  api::StatusOr<void> assigned;
  {
    const std::lock_guard lock(mutex_);
    assigned = assign_address(service, before, claim);
    if (assigned) assigned = assign_ports(service, before, claim);
  }
  if (!assigned) return std::unexpected(std::move(assigned).error());
  return claim;
}

void ServiceAllocator::restore(const json::Value& service) {
  const std::lock_guard lock(mutex_);
  const auto address = parse_address(json::string_at(service, {"spec", "clusterIP"}));
  if (address && wants_address(service)) addresses_.insert(*address);
  ports_.merge(ports_of(service));
}

void ServiceAllocator::release(const json::Value& service) {
  const std::lock_guard lock(mutex_);
  const auto address = parse_address(json::string_at(service, {"spec", "clusterIP"}));
  if (address && wants_address(service)) addresses_.erase(*address);
  for (const int port : ports_of(service)) ports_.erase(port);
}

}  // namespace koi::apiserver
