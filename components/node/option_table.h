#pragma once

#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/files.h"
#include "base/result.h"

namespace koi::node {

enum class OptionKind { text, number, flag, list };

// One option, declared once: its flag is --name, its environment variable KOI_NAME with
// underscores, its key in the configuration files is name.
struct OptionSpec {
  std::string_view name;
  OptionKind kind = OptionKind::text;
  std::string_view default_value;  // as a person would write it; empty: none
  std::string_view value_name;     // what --help calls the value
  std::string_view help;
};

// One value and where it came from, for error messages: "--node-ip", "KOI_NODE_IP",
// "/etc/koi/config.yaml: node-ip".
struct OptionValue {
  std::vector<std::string> values;
  std::string origin;
};

// The values given to a command, later sources over earlier ones: defaults, configuration files,
// environment, command line.
class OptionValues {
 public:
  explicit OptionValues(std::span<const OptionSpec> table);

  // One file: a mapping of keys to values. A key with a trailing '+' appends to what earlier
  // sources gave. Fails with invalid, naming file, key and the nearest valid name.
  base::Result<> add_file(const std::string& path, std::string_view content);
  // NAME=value pairs; variables that do not begin with KOI_ are not looked at.
  base::Result<> add_environment(const std::map<std::string, std::string>& environment);
  // "--name value", "--name=value"; flags take an optional "=true" or "=false".
  base::Result<> add_arguments(std::span<const std::string> arguments);

  std::string text(std::string_view name) const;
  base::Result<std::int64_t> number(std::string_view name) const;
  base::Result<bool> flag(std::string_view name) const;
  std::vector<std::string> list(std::string_view name) const;
  // Where the value came from; "the default" when nobody gave one.
  std::string origin(std::string_view name) const;
  bool is_set(std::string_view name) const;

 private:
  const OptionSpec* find(std::string_view name) const;
  base::Error unknown(std::string_view origin, std::string_view name) const;
  base::Result<> put(const OptionSpec& spec, std::vector<std::string> values, std::string origin,
                     bool append);

  std::span<const OptionSpec> table_;
  std::map<std::string, OptionValue, std::less<>> values_;
};

// The configuration file and then the *.yaml of its drop-in folder ("config.yaml.d") in order of
// name. A missing file is none, unless `required`.
base::Result<> add_config_files(OptionValues& values, base::Files& files, const base::Path& path,
                                bool required);

// The table as --help prints it.
std::string describe_options(std::span<const OptionSpec> table);

// The entry of `candidates` that a mistyped word most likely meant; empty when none is near.
std::string nearest_name(std::string_view word, std::span<const std::string_view> candidates);

}  // namespace koi::node
