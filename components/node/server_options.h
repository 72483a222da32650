#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "base/files.h"
#include "base/log.h"
#include "base/result.h"
#include "node/option_table.h"

namespace koi::node {

// What `koi server` was asked to do, checked.
struct ServerOptions {
  base::Path data_dir;
  std::string bind_address;
  std::uint16_t https_listen_port = 6443;
  std::string node_name;
  std::string node_ip;  // empty: found from the routes
  std::string cluster_cidr;
  std::string service_cidr;
  std::string token;  // empty: made at the first start
  base::Path write_kubeconfig;
  std::uint32_t write_kubeconfig_mode = 0600;
  std::vector<std::string> tls_san;
  bool disable_agent = false;
  base::log::Level log_level = base::log::Level::info;
  base::log::Format log_format = base::log::Format::text;
};

// The one table of the command: flags, environment, configuration keys and --help come from it.
std::span<const OptionSpec> server_option_table();

// Reads every source. Fails with invalid, naming the source, the option and what it takes.
base::Result<ServerOptions> read_server_options(
    base::Files& files, const std::map<std::string, std::string>& environment,
    std::span<const std::string> arguments);

}  // namespace koi::node
