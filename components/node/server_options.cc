#include "node/server_options.h"

#include <arpa/inet.h>
#include <sys/utsname.h>

#include <algorithm>
#include <array>
#include <charconv>

namespace koi::node {

namespace {

using base::Code;
using base::Result;

constexpr std::array table{
    OptionSpec{"config", OptionKind::text, "/etc/koi/config.yaml", "FILE",
               "configuration file; the *.yaml of FILE.d are read after it"},
    OptionSpec{"data-dir", OptionKind::text, "/var/lib/koi", "DIR", "where koi keeps everything"},
    OptionSpec{"bind-address", OptionKind::text, "0.0.0.0", "IP", "address the API listens on"},
    OptionSpec{"https-listen-port", OptionKind::number, "6443", "PORT", "port the API listens on"},
    OptionSpec{"tls-san", OptionKind::list, "", "NAME", "further names for the server certificate"},
    OptionSpec{"node-name", OptionKind::text, "", "NAME", "this node's name; else the host's name"},
    OptionSpec{"node-ip", OptionKind::text, "", "IP",
               "this node's address; else that of the default route"},
    OptionSpec{"cluster-cidr", OptionKind::text, "10.42.0.0/16", "CIDR", "addresses of pods"},
    OptionSpec{"service-cidr", OptionKind::text, "10.43.0.0/16", "CIDR", "addresses of services"},
    OptionSpec{"token", OptionKind::text, "", "TOKEN",
               "secret that nodes join with; else made at the first start"},
    OptionSpec{"write-kubeconfig", OptionKind::text, "/etc/koi/koi.yaml", "FILE",
               "where the administrator's kubeconfig is written"},
    OptionSpec{"write-kubeconfig-mode", OptionKind::text, "600", "MODE", "octal mode of that file"},
    OptionSpec{"disable-agent", OptionKind::flag, "", "", "run the control plane without a node"},
    OptionSpec{"log-level", OptionKind::text, "info", "LEVEL", "debug, info, warn or error"},
    OptionSpec{"log-format", OptionKind::text, "text", "FORMAT", "text or json"},
};

base::Error bad(const OptionValues& values, std::string_view name, std::string_view expected) {
  return {Code::invalid,
          values.origin(name) + ": '" + values.text(name) + "' is not " + std::string(expected)};
}

bool is_address(const std::string& text) {
  std::array<unsigned char, 16> buffer{};
  return inet_pton(AF_INET, text.c_str(), buffer.data()) == 1 ||
         inet_pton(AF_INET6, text.c_str(), buffer.data()) == 1;
}

bool is_ipv4_cidr(const std::string& text) {
  const auto slash = text.find('/');
  if (slash == std::string::npos) return false;
  in_addr address{};
  if (inet_pton(AF_INET, text.substr(0, slash).c_str(), &address) != 1) return false;
  int bits = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data() + slash + 1, end, bits);
  if (error != std::errc{} || stop != end || bits < 8 || bits > 28) return false;
  return (ntohl(address.s_addr) & (0xffffffffU >> bits)) == 0;
}

bool is_node_name(std::string_view name) {
  if (name.empty() || name.size() > 253) return false;
  const auto alphanumeric = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  const auto allowed = [&](char c) { return alphanumeric(c) || c == '-' || c == '.'; };
  return alphanumeric(name.front()) && alphanumeric(name.back()) &&
         std::ranges::all_of(name, allowed);
}

std::string host_name() {
  utsname names{};
  uname(&names);
  std::string name = names.nodename;
  std::ranges::transform(name, name.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c == '_' ? '-' : c;
  });
  return name;
}

Result<> read_log_options(const OptionValues& values, ServerOptions& options) {
  using base::log::Format;
  using base::log::Level;
  const std::map<std::string, Level> levels{{"debug", Level::debug},
                                            {"info", Level::info},
                                            {"warn", Level::warn},
                                            {"error", Level::error}};
  const auto level = levels.find(values.text("log-level"));
  if (level == levels.end()) {
    return base::fail(bad(values, "log-level", "one of debug, info, warn, error"));
  }
  options.log_level = level->second;
  const std::string format = values.text("log-format");
  if (format != "text" && format != "json") {
    return base::fail(bad(values, "log-format", "one of text, json"));
  }
  options.log_format = format == "json" ? Format::json : Format::text;
  return {};
}

Result<> read_addresses(const OptionValues& values, ServerOptions& options) {
  for (const char* name : {"cluster-cidr", "service-cidr"}) {
    if (!is_ipv4_cidr(values.text(name))) {
      return base::fail(bad(values, name, "an IPv4 network such as 10.42.0.0/16"));
    }
  }
  options.cluster_cidr = values.text("cluster-cidr");
  options.service_cidr = values.text("service-cidr");
  options.bind_address = values.text("bind-address");
  if (!is_address(options.bind_address)) {
    return base::fail(bad(values, "bind-address", "an IP address"));
  }
  options.node_ip = values.text("node-ip");
  if (!options.node_ip.empty() && !is_address(options.node_ip)) {
    return base::fail(bad(values, "node-ip", "an IP address"));
  }
  auto port = values.number("https-listen-port");
  if (!port || *port < 1 || *port > 65535) {
    return base::fail(bad(values, "https-listen-port", "a port from 1 to 65535"));
  }
  options.https_listen_port = static_cast<std::uint16_t>(*port);
  return {};
}

Result<ServerOptions> check(const OptionValues& values) {
  ServerOptions options;
  if (auto read = read_log_options(values, options); !read) return base::fail(read.error());
  if (auto read = read_addresses(values, options); !read) return base::fail(read.error());
  options.data_dir = values.text("data-dir");
  if (!options.data_dir.is_absolute()) {
    return base::fail(bad(values, "data-dir", "an absolute path"));
  }
  options.node_name = values.is_set("node-name") ? values.text("node-name") : host_name();
  if (!is_node_name(options.node_name)) {
    return base::fail(Code::invalid,
                      values.origin("node-name") + ": '" + options.node_name +
                          "' is no node name: lower-case letters, digits, '-' and '.' only");
  }
  options.token = values.text("token");
  if (options.token.find_first_of(" \t\r\n") != std::string::npos) {
    return base::fail(Code::invalid, values.origin("token") + ": must not contain white space");
  }
  options.write_kubeconfig = values.text("write-kubeconfig");
  const std::string mode = values.text("write-kubeconfig-mode");
  const char* const end = mode.data() + mode.size();
  const auto [stop, error] = std::from_chars(mode.data(), end, options.write_kubeconfig_mode, 8);
  if (error != std::errc{} || stop != end || options.write_kubeconfig_mode > 0777) {
    return base::fail(bad(values, "write-kubeconfig-mode", "an octal file mode such as 600"));
  }
  options.tls_san = values.list("tls-san");
  auto disable_agent = values.flag("disable-agent");
  if (!disable_agent) return base::fail(std::move(disable_agent).error());
  options.disable_agent = *disable_agent;
  return options;
}

}  // namespace

std::span<const OptionSpec> server_option_table() { return table; }

Result<ServerOptions> read_server_options(base::Files& files,
                                          const std::map<std::string, std::string>& environment,
                                          std::span<const std::string> arguments) {
  // The file's own name comes from the environment or the command line, so look there first.
  OptionValues first(table);
  if (auto added = first.add_environment(environment); !added) return base::fail(added.error());
  if (auto added = first.add_arguments(arguments); !added) return base::fail(added.error());
  OptionValues values(table);
  auto read = add_config_files(values, files, first.text("config"), first.is_set("config"));
  if (read) read = values.add_environment(environment);
  if (read) read = values.add_arguments(arguments);
  if (!read) return base::fail(std::move(read).error());
  return check(values);
}

}  // namespace koi::node
