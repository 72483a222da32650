#include <unordered_set>

#include "api/validation_rules.h"

namespace koi::api::rules {

namespace {

bool climbs(std::string_view path) {
  std::string framed = "/";
  framed.append(path).append("/");
  return framed.find("/../") != std::string::npos;
}

void check_items(FieldErrors& errors, const json::Array& items, const std::string& path) {
  for (std::size_t i = 0; i < items.size(); ++i) {
    const std::string here = at(at(path, "items"), i);
    const std::string target(json::string_at(items[i], {"path"}));
    if (json::string_at(items[i], {"key"}).empty()) errors.push_back(required(at(here, "key")));
    if (target.empty()) {
      errors.push_back(required(at(here, "path")));
    } else if (target.starts_with('/')) {
      errors.push_back(invalid(at(here, "path"), json::Value(target), "must be a relative path"));
    } else if (climbs(target)) {
      errors.push_back(invalid(at(here, "path"), json::Value(target), "must not contain '..'"));
    }
  }
}

void check_source(FieldErrors& errors, const json::Value& volume, const std::string& path) {
  const auto needs = [&](std::string_view source, std::string_view member) {
    const bool is_missing = json::find(volume, {source}) != nullptr &&
                            json::string_at(volume, {source, member}).empty();
    if (is_missing) errors.push_back(required(at(at(path, source), member)));
  };
  needs("hostPath", "path");
  needs("secret", "secretName");
  needs("configMap", "name");
  needs("persistentVolumeClaim", "claimName");
  needs("nfs", "server");
  needs("nfs", "path");
  needs("csi", "driver");
  const std::string host_path(json::string_at(volume, {"hostPath", "path"}));
  if (climbs(host_path)) {
    errors.push_back(
        invalid(at(path, "hostPath.path"), json::Value(host_path), "must not contain '..'"));
  }
  for (const std::string_view source : {"secret", "configMap"}) {
    check_items(errors, json::array_at(volume, {source, "items"}), at(path, source));
  }
}

}  // namespace

void check_volumes(FieldErrors& errors, const json::Value& spec, std::string_view path) {
  std::unordered_set<std::string> names;
  const json::Array& volumes = json::array_at(spec, {"volumes"});
  for (std::size_t i = 0; i < volumes.size(); ++i) {
    const std::string here = at(at(path, "volumes"), i);
    const std::string name(json::string_at(volumes[i], {"name"}));
    if (name.empty()) {
      errors.push_back(required(at(here, "name")));
    } else {
      check_name(errors, at(here, "name"), name, check_dns1123_label);
      if (!names.insert(name).second) {
        errors.push_back(duplicate(at(here, "name"), json::Value(name)));
      }
    }
    bool has_source = false;
    for (const auto& member : json::object_at(volumes[i], {})) {
      if (member.key() == "name") continue;
      if (has_source) {
        errors.push_back(
            forbidden(at(here, member.key()), "may not specify more than 1 volume type"));
      }
      has_source = true;
    }
    if (!has_source) errors.push_back(required(here, "must specify a volume type"));
    check_source(errors, volumes[i], here);
  }
}

}  // namespace koi::api::rules
