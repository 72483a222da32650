#include "agent/references.h"

#include "api/base64.h"

namespace koi::agent {

namespace {

void add(std::set<ReferenceKey>& keys, ReferenceKind kind, std::string_view name) {
  if (!name.empty()) keys.insert({kind, std::string(name)});
}

void add_environment(std::set<ReferenceKey>& keys, const json::Value& container) {
  for (const auto& source : json::array_at(container, {"envFrom"})) {
    add(keys, ReferenceKind::config_map, json::string_at(source, {"configMapRef", "name"}));
    add(keys, ReferenceKind::secret, json::string_at(source, {"secretRef", "name"}));
  }
  for (const auto& variable : json::array_at(container, {"env"})) {
    add(keys, ReferenceKind::config_map,
        json::string_at(variable, {"valueFrom", "configMapKeyRef", "name"}));
    add(keys, ReferenceKind::secret,
        json::string_at(variable, {"valueFrom", "secretKeyRef", "name"}));
  }
}

void add_volume(std::set<ReferenceKey>& keys, const json::Value& volume) {
  add(keys, ReferenceKind::config_map, json::string_at(volume, {"configMap", "name"}));
  add(keys, ReferenceKind::secret, json::string_at(volume, {"secret", "secretName"}));
  for (const auto& source : json::array_at(volume, {"projected", "sources"})) {
    add(keys, ReferenceKind::config_map, json::string_at(source, {"configMap", "name"}));
    add(keys, ReferenceKind::secret, json::string_at(source, {"secret", "name"}));
  }
}

}  // namespace

std::set<ReferenceKey> references_of(const json::Value& pod) {
  std::set<ReferenceKey> keys;
  for (const auto* field : {"initContainers", "containers"}) {
    for (const auto& container : json::array_at(pod, {"spec", field})) {
      add_environment(keys, container);
    }
  }
  for (const auto& volume : json::array_at(pod, {"spec", "volumes"})) add_volume(keys, volume);
  return keys;
}

const api::Object* find_reference(const ReferenceMap& references, ReferenceKind kind,
                                  std::string_view name) {
  const auto found = references.find(ReferenceKey{kind, std::string(name)});
  return found == references.end() ? nullptr : found->second.get();
}

std::map<std::string, std::string> reference_data(const api::Object& object, ReferenceKind kind) {
  std::map<std::string, std::string> data;
  const bool secret = kind == ReferenceKind::secret;
  for (const auto& member : json::object_at(object.value(), {"data"})) {
    if (!member.value().is_string()) continue;
    const std::string_view text = member.value().get_string();
    data[member.key()] = secret ? api::decode_base64(text) : std::string(text);
  }
  for (const auto& member : json::object_at(object.value(), {"binaryData"})) {
    if (member.value().is_string())
      data[member.key()] = api::decode_base64(member.value().get_string());
  }
  return data;
}

}  // namespace koi::agent
