#include "network/pod_table.h"

#include "json/value.h"

namespace koi::network {

namespace {

std::unexpected<base::Error> corrupt(std::string_view what) {
  return base::fail(base::Code::corrupt, "table of pod addresses: " + std::string(what));
}

json::Object as_json(const HostPort& port) {
  return {{"protocol", port.protocol},
          {"hostIP", port.host_ip},
          {"hostPort", port.host_port},
          {"containerPort", port.container_port}};
}

HostPort port_from(const json::Value& value) {
  auto number = [&](std::string_view name) {
    return static_cast<std::uint16_t>(json::int_at(value, {name}, 0));
  };
  return {.protocol = std::string(json::string_at(value, {"protocol"})),
          .host_ip = std::string(json::string_at(value, {"hostIP"})),
          .host_port = number("hostPort"),
          .container_port = number("containerPort")};
}

}  // namespace

bool is_every_address(const std::string& host_ip) {
  return host_ip.empty() || host_ip == "0.0.0.0" || host_ip == "::";
}

bool overlaps(const HostPort& left, const HostPort& right) {
  return left.protocol == right.protocol && left.host_port == right.host_port &&
         (is_every_address(left.host_ip) || is_every_address(right.host_ip) ||
          left.host_ip == right.host_ip);
}

std::string host_link_name(const std::string& pod_uid) {
  // FNV-1a: uids are random already, this only shortens them.
  std::uint64_t hash = 0xcbf29ce484222325ULL;
  for (const char c : pod_uid) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
  }
  std::string name = "koi";
  for (int shift = 44; shift >= 0; shift -= 4) name += "0123456789abcdef"[hash >> shift & 15];
  return name;
}

base::Result<linux::IpAddress> PodTable::add(const std::string& pod_uid,
                                             const std::vector<HostPort>& host_ports) {
  for (const auto& [owner, others] : ports_) {
    if (owner == pod_uid) continue;
    for (const HostPort& other : others) {
      for (const HostPort& port : host_ports) {
        if (!overlaps(port, other)) continue;
        return base::fail(base::Code::conflict, "host port " + std::to_string(port.host_port) +
                                                    "/" + port.protocol + " is taken by pod '" +
                                                    owner + "'");
      }
    }
  }
  auto address = pool_.take(pod_uid);
  if (!address) return address;
  if (host_ports.empty()) {
    ports_.erase(pod_uid);
  } else {
    ports_.insert_or_assign(pod_uid, host_ports);
  }
  return address;
}

void PodTable::remove(const std::string& pod_uid) {
  pool_.release(pod_uid);
  ports_.erase(pod_uid);
}

const std::vector<HostPort>& PodTable::host_ports(const std::string& pod_uid) const {
  static const std::vector<HostPort> none;
  const auto found = ports_.find(pod_uid);
  return found == ports_.end() ? none : found->second;
}

std::string PodTable::serialize() const {
  json::Object pods;
  for (const auto& [uid, address] : pool_.owners()) {
    json::Object pod{{"address", address.text()}};
    json::Array ports;
    for (const HostPort& port : host_ports(uid)) ports.push_back(as_json(port));
    if (!ports.empty()) pod["hostPorts"] = std::move(ports);
    pods[uid] = std::move(pod);
  }
  return json::serialize(json::Object{{"range", pool_.range().text()}, {"pods", std::move(pods)}});
}

base::Result<PodTable> PodTable::parse(std::string_view text) {
  auto root = json::parse(text);
  if (!root) return corrupt(root.error().message);
  auto range = linux::parse_ip_range(json::string_at(*root, {"range"}));
  if (!range) return corrupt(range.error().message);
  auto pool = AddressPool::make(*range);
  if (!pool) return corrupt(pool.error().message);
  PodTable table(std::move(*pool));
  for (const auto& pod : json::object_at(*root, {"pods"})) {
    const std::string uid(pod.key());
    auto address = linux::parse_ip_address(json::string_at(pod.value(), {"address"}));
    if (!address || !table.pool_.adopt(uid, *address)) return corrupt("pod '" + uid + "'");
    for (const json::Value& port : json::array_at(pod.value(), {"hostPorts"})) {
      table.ports_[uid].push_back(port_from(port));
    }
  }
  return table;
}

}  // namespace koi::network
