#include "node/server_options.h"

#include <doctest/doctest.h>

#include "testing/sim_files.h"
#include "testing/sim_random.h"

namespace koi::node {

namespace {

struct Machine {
  testing::SimRandom random{1};
  testing::SimFiles files{random};
  std::map<std::string, std::string> environment;

  void write(const base::Path& path, const std::string& content) {
    const base::OpenOptions options{.write = true, .create = true, .truncate = true};
    REQUIRE((*files.open(path, options))->write_at(0, content).has_value());
  }
  base::Result<ServerOptions> read(std::vector<std::string> arguments) {
    return read_server_options(files, environment, arguments);
  }
  std::string error(std::vector<std::string> arguments) {
    const auto options = read(std::move(arguments));
    return options ? std::string("no error") : options.error().message;
  }
};

}  // namespace

TEST_CASE("later sources win: file, drop-ins, environment, command line") {
  Machine machine;
  CHECK(machine.read({})->https_listen_port == 6443);
  machine.write("/etc/koi/config.yaml", "https-listen-port: 7001\nnode-name: from-file\n");
  CHECK(machine.read({})->https_listen_port == 7001);
  machine.write("/etc/koi/config.yaml.d/10-a.yaml", "https-listen-port: 7002\n");
  machine.write("/etc/koi/config.yaml.d/20-b.yaml", "https-listen-port: 7003\n");
  CHECK(machine.read({})->https_listen_port == 7003);
  machine.environment["KOI_HTTPS_LISTEN_PORT"] = "7004";
  CHECK(machine.read({})->https_listen_port == 7004);
  CHECK(machine.read({"--https-listen-port", "7005"})->https_listen_port == 7005);
  CHECK(machine.read({"--https-listen-port=7006"})->https_listen_port == 7006);
  CHECK(machine.read({})->node_name == "from-file");
}

TEST_CASE("lists are replaced, or appended to with a plus") {
  Machine machine;
  machine.write("/etc/koi/config.yaml", "tls-san: [a, b]\n");
  machine.write("/etc/koi/config.yaml.d/1.yaml", "tls-san+: c\n");
  CHECK(machine.read({})->tls_san == std::vector<std::string>{"a", "b", "c"});
  machine.write("/etc/koi/config.yaml.d/2.yaml", "tls-san:\n- d\n");
  CHECK(machine.read({})->tls_san == std::vector<std::string>{"d"});
  CHECK(machine.read({"--tls-san", "e", "--tls-san", "f,g"})->tls_san ==
        std::vector<std::string>{"e", "f", "g"});
}

TEST_CASE("an unknown key is refused with file, key and nearest name") {
  Machine machine;
  CHECK(machine.error({"--node-nam", "x"}) ==
        "command line: unknown option 'node-nam', did you mean 'node-name'?");
  machine.write("/etc/koi/config.yaml", "https-listn-port: 1\n");
  CHECK(machine.error({}) ==
        "/etc/koi/config.yaml: unknown option 'https-listn-port', did you mean "
        "'https-listen-port'?");
  machine.write("/etc/koi/config.yaml", "zzzzzzzzzz: 1\n");
  CHECK(machine.error({}) == "/etc/koi/config.yaml: unknown option 'zzzzzzzzzz'");
}

TEST_CASE("a bad value is refused with its source and what is expected") {
  Machine machine;
  CHECK(machine.error({"--https-listen-port", "70000"}) ==
        "--https-listen-port: '70000' is not a port from 1 to 65535");
  CHECK(machine.error({"--https-listen-port", "x"}) ==
        "--https-listen-port: 'x' is not a whole number");
  CHECK(machine.error({"--cluster-cidr", "10.42.0.1/16"}) ==
        "--cluster-cidr: '10.42.0.1/16' is not an IPv4 network such as 10.42.0.0/16");
  CHECK(machine.error({"--disable-agent=maybe"}) ==
        "--disable-agent: 'maybe' is neither true nor false");
  CHECK(machine.error({"--data-dir", "relative"}) ==
        "--data-dir: 'relative' is not an absolute path");
  CHECK(machine.error({"--write-kubeconfig-mode", "999"}) ==
        "--write-kubeconfig-mode: '999' is not an octal file mode such as 600");
  CHECK(machine.error({"--token"}) == "--token: needs a value");
  machine.environment["KOI_LOG_LEVEL"] = "loud";
  CHECK(machine.error({}) == "KOI_LOG_LEVEL: 'loud' is not one of debug, info, warn, error");
}

TEST_CASE("a configuration file that was asked for must exist") {
  Machine machine;
  CHECK(machine.error({"--config", "/nowhere.yaml"}).find("/nowhere.yaml") != std::string::npos);
}

}  // namespace koi::node
