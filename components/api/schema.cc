#include "api/schema.h"

#include <algorithm>

namespace koi::api {

namespace {

constexpr std::string_view meta_package = "io.k8s.apimachinery.pkg.apis.meta.v1.";

}  // namespace

const Field* Type::field(std::string_view field_name) const {
  const auto found = std::lower_bound(
      by_name.begin(), by_name.end(), field_name,
      [this](std::uint8_t at, std::string_view key) { return fields[at].name < key; });
  if (found == by_name.end() || fields[*found].name != field_name) return nullptr;
  return &fields[*found];
}

const Subresource* Kind::subresource(std::string_view subresource_name) const {
  const auto found = std::find_if(subresources.begin(), subresources.end(),
                                  [&](const auto& sub) { return sub.name == subresource_name; });
  return found != subresources.end() ? &*found : nullptr;
}

bool Kind::has_verb(std::string_view verb) const {
  return std::find(verbs.begin(), verbs.end(), verb) != verbs.end();
}

const Kind* Schema::find(std::string_view group, std::string_view version,
                         std::string_view kind) const {
  for (const auto& candidate : kinds_) {
    if (candidate.kind == kind && candidate.group == group && candidate.version == version) {
      return &candidate;
    }
  }
  for (const auto& candidate : bodies_) {
    if (candidate.kind != kind) continue;
    // Options and Status are members of every group and version.
    if (candidate.type->name.starts_with(meta_package)) return &candidate;
    if (candidate.group == group && candidate.version == version) return &candidate;
  }
  return nullptr;
}

const Kind* Schema::find(std::string_view api_version, std::string_view kind) const {
  const auto slash = api_version.find('/');
  if (slash == std::string_view::npos) return find("", api_version, kind);
  return find(api_version.substr(0, slash), api_version.substr(slash + 1), kind);
}

const Kind* Schema::find_resource(std::string_view group, std::string_view version,
                                  std::string_view plural) const {
  for (const auto& candidate : kinds_) {
    if (candidate.plural == plural && candidate.group == group && candidate.version == version) {
      return &candidate;
    }
  }
  return nullptr;
}

const Type* Schema::find_body_type(std::string_view api_version, std::string_view kind) const {
  if (const Kind* found = find(api_version, kind)) return found->type;
  for (const auto& candidate : kinds_) {
    if (candidate.list_kind == kind && candidate.api_version == api_version) {
      return candidate.list_type;
    }
  }
  return nullptr;
}

const Type* Schema::find_type(std::string_view name) const {
  const auto found =
      std::lower_bound(types_.begin(), types_.end(), name,
                       [](const Type& type, std::string_view key) { return type.name < key; });
  return found != types_.end() && found->name == name ? &*found : nullptr;
}

}  // namespace koi::api
