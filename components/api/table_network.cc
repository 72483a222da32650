#include <algorithm>
#include <array>

#include "api/table_rows.h"

namespace koi::api::tables {

namespace {

constexpr std::size_t endpoints_shown_max = 3;

constexpr std::array service_columns = {
    name_column,
    Column{"Type", "How the service is reached."},
    Column{"Cluster-IP", "Its address inside the cluster."},
    Column{"External-IP", "Its addresses outside."},
    Column{"Port(s)", "Its ports, with the node ports behind a colon."},
    age_column,
    selector_column,
};

std::vector<std::string> ingress_points(const json::Value& object) {
  std::vector<std::string> points;
  for (const json::Value& point : json::array_at(object, {"status", "loadBalancer", "ingress"})) {
    const std::string_view ip = json::string_at(point, {"ip"});
    points.emplace_back(ip.empty() ? json::string_at(point, {"hostname"}) : ip);
  }
  std::erase(points, std::string());
  return points;
}

std::string external_ip(const json::Value& service) {
  std::vector<std::string> listed;
  for (const json::Value& ip : json::array_at(service, {"spec", "externalIPs"})) {
    listed.emplace_back(json::string_at(ip, {}));
  }
  const std::string_view type = json::string_at(service, {"spec", "type"});
  if (type == "ClusterIP" || type == "NodePort" || type.empty()) {
    return listed.empty() ? "<none>" : join(listed, ",");
  }
  if (type == "ExternalName") {
    return std::string(json::string_at(service, {"spec", "externalName"}));
  }
  if (type != "LoadBalancer") return "<unknown>";
  std::vector<std::string> all = ingress_points(service);
  all.insert(all.end(), listed.begin(), listed.end());
  return all.empty() ? "<pending>" : join(all, ",");
}

std::string service_ports(const json::Value& service) {
  std::vector<std::string> parts;
  for (const json::Value& port : json::array_at(service, {"spec", "ports"})) {
    std::string part = std::to_string(json::int_at(port, {"port"}, 0));
    const auto node_port = json::int_at(port, {"nodePort"}, 0);
    if (node_port > 0) part += ":" + std::to_string(node_port);
    const std::string_view protocol = json::string_at(port, {"protocol"});
    part.append("/").append(protocol.empty() ? "TCP" : protocol);
    parts.push_back(std::move(part));
  }
  return parts.empty() ? "<none>" : join(parts, ",");
}

void print_service(Row& row) {
  const json::Value& service = row.object();
  row.name();
  row.text_at({"spec", "type"});
  row.text_at({"spec", "clusterIP"}, "<none>");
  row.text(external_ip(service));
  row.text(service_ports(service));
  row.age();
  row.text(format_labels(json::object_at(service, {"spec", "selector"})));
}

constexpr std::array endpoints_columns = {
    name_column, Column{"Endpoints", "Addresses and ports behind the service."}, age_column};

std::string with_port(std::string_view address, std::int64_t port) {
  const bool is_v6 = address.find(':') != std::string_view::npos;
  const std::string host = is_v6 ? "[" + std::string(address) + "]" : std::string(address);
  return host + ":" + std::to_string(port);
}

void print_endpoints(Row& row) {
  std::vector<std::string> all;
  for (const json::Value& subset : json::array_at(row.object(), {"subsets"})) {
    const json::Array& ports = json::array_at(subset, {"ports"});
    const json::Array& addresses = json::array_at(subset, {"addresses"});
    if (ports.empty()) {
      for (const std::string& ip : collect(addresses, "ip")) all.push_back(ip);
    }
    for (const json::Value& port : ports) {
      for (const std::string& ip : collect(addresses, "ip")) {
        all.push_back(with_port(ip, json::int_at(port, {"port"}, 0)));
      }
    }
  }
  row.name();
  row.text(all.empty() ? "<none>" : join_some(all, endpoints_shown_max));
  row.age();
}

constexpr std::array endpoint_slice_columns = {
    name_column,
    Column{"AddressType", "The kind of the addresses."},
    Column{"Ports", "The ports of the endpoints."},
    Column{"Endpoints", "The addresses."},
    age_column,
};

void print_endpoint_slice(Row& row) {
  std::vector<std::string> ports;
  for (const json::Value& port : json::array_at(row.object(), {"ports"})) {
    const auto number = json::int_at(port, {"port"});
    const std::string_view name = json::string_at(port, {"name"});
    ports.push_back(number ? std::to_string(*number) : name.empty() ? "*" : std::string(name));
  }
  std::vector<std::string> addresses;
  for (const json::Value& endpoint : json::array_at(row.object(), {"endpoints"})) {
    for (const json::Value& address : json::array_at(endpoint, {"addresses"})) {
      addresses.emplace_back(json::string_at(address, {}));
    }
  }
  row.name();
  row.text_at({"addressType"});
  row.text(ports.empty() ? "<unset>" : join_some(ports, endpoints_shown_max));
  row.text(addresses.empty() ? "<unset>" : join_some(addresses, endpoints_shown_max));
  row.age();
}

constexpr std::array ingress_columns = {
    name_column,
    Column{"Class", "The class of controller that serves it."},
    Column{"Hosts", "Hosts whose requests it takes."},
    Column{"Address", "Where the controller listens."},
    Column{"Ports", "Ports that are open."},
    age_column,
};

void print_ingress(Row& row) {
  const json::Value& ingress = row.object();
  std::vector<std::string> hosts = collect(json::array_at(ingress, {"spec", "rules"}), "host");
  std::erase(hosts, std::string());
  std::string_view class_name = json::string_at(ingress, {"spec", "ingressClassName"});
  if (class_name.empty()) {
    class_name =
        json::string_at(ingress, {"metadata", "annotations", "kubernetes.io/ingress.class"});
  }
  row.name();
  row.text(class_name.empty() ? "<none>" : class_name);
  row.text(hosts.empty() ? "*" : join_some(hosts, endpoints_shown_max));
  row.text(join(ingress_points(ingress), ","));
  row.text(json::array_at(ingress, {"spec", "tls"}).empty() ? "80" : "80, 443");
  row.age();
}

constexpr std::array ingress_class_columns = {
    name_column,
    Column{"Controller", "The controller that serves the class."},
    Column{"Parameters", "The object that configures it."},
    age_column,
};

void print_ingress_class(Row& row) {
  const json::Value* parameters = json::find(row.object(), {"spec", "parameters"});
  std::string reference = "<none>";
  if (parameters != nullptr) {
    reference = json::string_at(*parameters, {"kind"});
    const std::string_view group = json::string_at(*parameters, {"apiGroup"});
    if (!group.empty()) reference.append(".").append(group);
    reference.append("/").append(json::string_at(*parameters, {"name"}));
  }
  row.name();
  row.text_at({"spec", "controller"});
  row.text(reference);
  row.age();
}

constexpr std::array network_policy_columns = {
    name_column, Column{"Pod-Selector", "Labels of the pods it is about."}, age_column};

void print_network_policy(Row& row) {
  row.name();
  row.text(format_selector(json::find(row.object(), {"spec", "podSelector"})));
  row.age();
}

constexpr std::array ip_address_columns = {
    name_column, Column{"ParentRef", "The object that the address belongs to."}};

void print_ip_address(Row& row) {
  const json::Value& object = row.object();
  std::vector<std::string> parts;
  for (const std::string_view member : {"group", "resource", "namespace", "name"}) {
    const std::string_view part = json::string_at(object, {"spec", "parentRef", member});
    if (!part.empty()) parts.emplace_back(part);
  }
  row.name();
  row.text(join(parts, "/"));
}

constexpr std::array service_cidr_columns = {
    name_column, Column{"CIDRs", "The ranges of service addresses."}, age_column};

void print_service_cidr(Row& row) {
  std::vector<std::string> ranges;
  for (const json::Value& range : json::array_at(row.object(), {"spec", "cidrs"})) {
    ranges.emplace_back(json::string_at(range, {}));
  }
  row.name();
  row.text(join(ranges, ","));
  row.age();
}

constexpr std::array kind_tables = {
    KindTable{"", "Service", service_columns, print_service},
    KindTable{"", "Endpoints", endpoints_columns, print_endpoints},
    KindTable{"discovery.k8s.io", "EndpointSlice", endpoint_slice_columns, print_endpoint_slice},
    KindTable{"networking.k8s.io", "Ingress", ingress_columns, print_ingress},
    KindTable{"networking.k8s.io", "IngressClass", ingress_class_columns, print_ingress_class},
    KindTable{"networking.k8s.io", "NetworkPolicy", network_policy_columns, print_network_policy},
    KindTable{"networking.k8s.io", "IPAddress", ip_address_columns, print_ip_address},
    KindTable{"networking.k8s.io", "ServiceCIDR", service_cidr_columns, print_service_cidr},
};

}  // namespace

std::span<const KindTable> network_tables() { return kind_tables; }

}  // namespace koi::api::tables
