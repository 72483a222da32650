#include "agent/environment.h"

#include <algorithm>

#include "agent/expansion.h"

namespace koi::agent {

namespace {

using base::Code;

constexpr std::string_view default_path =
    "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

// What may stand before the "=" of a variable.
bool is_variable_name(std::string_view name) {
  return !name.empty() && std::ranges::all_of(name, [](char letter) {
    return letter > ' ' && letter < 0x7f && letter != '=';
  });
}

const char* kind_word(ReferenceKind kind) {
  return kind == ReferenceKind::secret ? "secret" : "configmap";
}

const char* kind_name(ReferenceKind kind) {
  return kind == ReferenceKind::secret ? "Secret" : "ConfigMap";
}

class Builder {
 public:
  explicit Builder(const EnvironmentInputs& inputs) : in_(inputs) {}

  base::Result<Environment> run() {
    put_base();
    for (const auto& source : json::array_at(*in_.container, {"envFrom"})) {
      if (auto done = add_all(source); !done) return base::fail(std::move(done).error());
    }
    for (const auto& variable : json::array_at(*in_.container, {"env"})) {
      if (auto done = add_variable(variable); !done) return base::fail(std::move(done).error());
    }
    return std::move(result_);
  }

 private:
  void put_base() {
    result_.set("PATH", std::string(default_path));
    result_.set("HOSTNAME", in_.hostname);
    if (in_.image_env) {
      for (const auto& assignment : *in_.image_env) result_.set_assignment(assignment);
    }
    for (const auto& [name, value] : in_.services) result_.set(name, value);
  }

  // Values may refer to services and to what the pod has set before, not to the image's variables.
  std::string expand(std::string_view text) const {
    return expand_references(text, [this](std::string_view name) -> std::optional<std::string> {
      if (const auto own = own_.find(name); own != own_.end()) return own->second;
      const auto service = in_.services.find(std::string(name));
      if (service != in_.services.end()) return service->second;
      return std::nullopt;
    });
  }

  void set(std::string_view name, std::string value) {
    own_[std::string(name)] = value;
    result_.set(std::string(name), std::move(value));
  }

  base::Result<> add_all(const json::Value& source) {
    const auto prefix = json::string_at(source, {"prefix"});
    for (const auto kind : {ReferenceKind::config_map, ReferenceKind::secret}) {
      const auto* ref =
          json::find(source, {kind == ReferenceKind::secret ? "secretRef" : "configMapRef"});
      if (!ref) continue;
      const auto name = json::string_at(*ref, {"name"});
      const auto* object = find_reference(*in_.references, kind, name);
      if (!object && json::bool_at(*ref, {"optional"})) continue;
      if (!object) return missing(kind, name);
      for (const auto& [key, value] : reference_data(*object, kind)) {
        const auto variable = std::string(prefix) + key;
        if (is_variable_name(variable)) set(variable, value);
      }
    }
    return {};
  }

  base::Result<> add_variable(const json::Value& variable) {
    const auto name = json::string_at(variable, {"name"});
    const auto* source = json::find(variable, {"valueFrom"});
    if (!source) {
      set(name, expand(json::string_at(variable, {"value"})));
      return {};
    }
    if (const auto* ref = json::find(*source, {"configMapKeyRef"})) {
      return add_key(name, ReferenceKind::config_map, *ref);
    }
    if (const auto* ref = json::find(*source, {"secretKeyRef"})) {
      return add_key(name, ReferenceKind::secret, *ref);
    }
    auto value = downward_value(*source);
    if (!value) return base::fail(std::move(value).error());
    set(name, std::move(*value));
    return {};
  }

  base::Result<std::string> downward_value(const json::Value& source) {
    if (const auto* field = json::find(source, {"fieldRef"})) {
      return pod_field(*in_.pod, json::string_at(*field, {"fieldPath"}), in_.facts);
    }
    const auto* selector = json::find(source, {"resourceFieldRef"});
    if (!selector) return base::fail(Code::invalid, "unsupported valueFrom");
    const auto named = json::string_at(*selector, {"containerName"});
    if (named.empty()) return resource_field(*in_.container, *selector, in_.facts);
    for (const auto* list : {"containers", "initContainers"}) {
      for (const auto& container : json::array_at(*in_.pod, {"spec", list})) {
        if (json::string_at(container, {"name"}) == named) {
          return resource_field(container, *selector, in_.facts);
        }
      }
    }
    return base::fail(Code::invalid, "container " + std::string(named) + " not found");
  }

  base::Result<> add_key(std::string_view variable, ReferenceKind kind, const json::Value& ref) {
    const auto name = json::string_at(ref, {"name"});
    const auto key = json::string_at(ref, {"key"});
    const bool optional = json::bool_at(ref, {"optional"});
    const auto* object = find_reference(*in_.references, kind, name);
    if (!object && optional) return {};
    if (!object) return missing(kind, name);
    auto data = reference_data(*object, kind);
    const auto found = data.find(std::string(key));
    if (found == data.end() && optional) return {};
    if (found == data.end()) {
      return base::fail(Code::invalid,
                        "couldn't find key " + std::string(key) + " in " + kind_name(kind) + " " +
                            std::string(object->name_space()) + "/" + std::string(name));
    }
    set(variable, std::move(found->second));
    return {};
  }

  static base::Result<> missing(ReferenceKind kind, std::string_view name) {
    return base::fail(Code::invalid,
                      std::string(kind_word(kind)) + " \"" + std::string(name) + "\" not found");
  }

  const EnvironmentInputs& in_;
  Environment result_;
  std::map<std::string, std::string, std::less<>> own_;  // what the pod itself has set
};

std::string variable_prefix(std::string_view service) {
  std::string name(service);
  for (char& letter : name) {
    if (letter == '-') letter = '_';
    if (letter >= 'a' && letter <= 'z') letter = static_cast<char>(letter - 'a' + 'A');
  }
  return name;
}

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& letter : result) {
    if (letter >= 'A' && letter <= 'Z') letter = static_cast<char>(letter - 'A' + 'a');
  }
  return result;
}

void put_service(const api::Object& service, std::map<std::string, std::string>& variables) {
  const auto ip = std::string(json::string_at(service.value(), {"spec", "clusterIP"}));
  const auto& ports = json::array_at(service.value(), {"spec", "ports"});
  if (ip.empty() || ip == "None" || ports.empty()) return;
  const auto prefix = variable_prefix(service.name());
  variables[prefix + "_SERVICE_HOST"] = ip;
  variables[prefix + "_SERVICE_PORT"] = std::to_string(json::int_at(ports.front(), {"port"}, 0));
  for (const auto& entry : ports) {
    const auto port = std::to_string(json::int_at(entry, {"port"}, 0));
    const auto name = json::string_at(entry, {"name"});
    if (!name.empty()) variables[prefix + "_SERVICE_PORT_" + variable_prefix(name)] = port;
    auto protocol = std::string(json::string_at(entry, {"protocol"}));
    if (protocol.empty()) protocol = "TCP";
    std::string host = ip;
    if (host.find(':') != std::string::npos) {
      host.insert(host.begin(), '[');
      host.push_back(']');
    }
    const auto url = lower(protocol) + "://" + host + ":" + port;
    variables.try_emplace(prefix + "_PORT", url);
    const auto link = prefix + "_PORT_" + port + "_" + protocol;
    variables[link] = url;
    variables[link + "_PROTO"] = lower(protocol);
    variables[link + "_PORT"] = port;
    variables[link + "_ADDR"] = ip;
  }
}

}  // namespace

void Environment::set(std::string name, std::string value) {
  const auto [position, fresh] = positions_.try_emplace(name, variables_.size());
  if (fresh) {
    variables_.emplace_back(std::move(name), std::move(value));
  } else {
    variables_[position->second].second = std::move(value);
  }
}

void Environment::set_assignment(std::string_view assignment) {
  const auto equals = assignment.find('=');
  const auto value = equals == std::string_view::npos ? "" : assignment.substr(equals + 1);
  set(std::string(assignment.substr(0, equals)), std::string(value));
}

const std::string* Environment::find(std::string_view name) const {
  const auto found = positions_.find(name);
  return found == positions_.end() ? nullptr : &variables_[found->second].second;
}

std::vector<std::string> Environment::list() const {
  std::vector<std::string> result;
  result.reserve(variables_.size());
  for (const auto& [name, value] : variables_) result.push_back(name + "=" + value);
  return result;
}

base::Result<Environment> build_environment(const EnvironmentInputs& inputs) {
  return Builder(inputs).run();
}

std::map<std::string, std::string> service_variables(const std::vector<api::ObjectPtr>& services,
                                                     std::string_view name_space, bool all) {
  std::map<std::string, std::string> variables;
  for (const auto& service : services) {
    const bool cluster = service->name_space() == "default" && service->name() == "kubernetes";
    if (cluster || (all && service->name_space() == name_space)) put_service(*service, variables);
  }
  return variables;
}

}  // namespace koi::agent
