#include "agent/volume_content.h"

#include <algorithm>

namespace koi::agent {

namespace {

using base::Code;

constexpr std::int64_t default_mode = 0644;

std::uint32_t mode_of(const json::Value& item, std::int64_t otherwise) {
  return static_cast<std::uint32_t>(json::int_at(item, {"mode"}, otherwise) & 0777);
}

// The API validates paths; a volume must stay inside its directory all the same.
bool is_safe_path(std::string_view path) {
  if (path.empty() || path.front() == '/') return false;
  while (!path.empty()) {
    const auto slash = path.find('/');
    const auto part = path.substr(0, slash);
    if (part == ".." || part.starts_with("..data")) return false;
    if (slash == std::string_view::npos) break;
    path.remove_prefix(slash + 1);
  }
  return true;
}

class Filler {
 public:
  Filler(const VolumeInputs& inputs, std::int64_t mode) : in_(inputs), mode_(mode) {}

  base::Result<VolumeContent> take() {
    for (const auto& entry : content_) {
      if (!is_safe_path(entry.first)) {
        return base::fail(Code::invalid, "invalid path '" + entry.first + "'");
      }
    }
    return std::move(content_);
  }

  base::Result<> add_object(const json::Value& source, ReferenceKind kind, std::string_view name) {
    const bool secret = kind == ReferenceKind::secret;
    const bool optional = json::bool_at(source, {"optional"});
    const auto* object = find_reference(*in_.references, kind, name);
    if (!object && optional) return {};
    if (!object) {
      const std::string word = secret ? "secret" : "configmap";
      return base::fail(Code::invalid, word + " \"" + std::string(name) + "\" not found");
    }
    auto data = reference_data(*object, kind);
    const auto& items = json::array_at(source, {"items"});
    if (items.empty()) {
      for (auto& [key, value] : data) put(key, std::move(value), mode_of({}, mode_));
      return {};
    }
    for (const auto& item : items) {
      const std::string key(json::string_at(item, {"key"}));
      const auto found = data.find(key);
      if (found == data.end() && optional) continue;
      if (found == data.end()) {
        const std::string what = secret ? "references non-existent secret key: "
                                        : "configmap references non-existent config key: ";
        return base::fail(Code::invalid, what + key);
      }
      put(json::string_at(item, {"path"}), found->second, mode_of(item, mode_));
    }
    return {};
  }

  base::Result<> add_downward(const json::Value& source) {
    for (const auto& item : json::array_at(source, {"items"})) {
      auto text = downward_text(item);
      if (!text) return base::fail(std::move(text).error());
      put(json::string_at(item, {"path"}), std::move(*text), mode_of(item, mode_));
    }
    return {};
  }

  base::Result<> add_token(const json::Value& source) {
    const TokenRequest request{std::string(json::string_at(source, {"audience"})),
                               json::int_at(source, {"expirationSeconds"}, 3600)};
    const auto found = in_.tokens->find(request);
    if (found == in_.tokens->end()) {
      return base::fail(Code::unavailable, "failed to fetch token: not issued yet");
    }
    put(json::string_at(source, {"path"}), found->second, mode_of({}, mode_));
    return {};
  }

  base::Result<> add_source(const json::Value& source) {
    if (const auto* map = json::find(source, {"configMap"})) {
      return add_object(*map, ReferenceKind::config_map, json::string_at(*map, {"name"}));
    }
    if (const auto* secret = json::find(source, {"secret"})) {
      return add_object(*secret, ReferenceKind::secret, json::string_at(*secret, {"name"}));
    }
    if (const auto* downward = json::find(source, {"downwardAPI"})) return add_downward(*downward);
    if (const auto* token = json::find(source, {"serviceAccountToken"})) return add_token(*token);
    return base::fail(Code::unsupported, "unsupported projected volume source");
  }

 private:
  void put(std::string_view path, std::string content, std::uint32_t mode) {
    content_[std::string(path)] = VolumeFile{std::move(content), mode};
  }

  base::Result<std::string> downward_text(const json::Value& item) {
    if (const auto* field = json::find(item, {"fieldRef"})) {
      return pod_field(*in_.pod, json::string_at(*field, {"fieldPath"}), in_.facts);
    }
    const auto* selector = json::find(item, {"resourceFieldRef"});
    if (!selector) return base::fail(Code::invalid, "unsupported downward API item");
    const auto name = json::string_at(*selector, {"containerName"});
    for (const auto* list : {"containers", "initContainers"}) {
      for (const auto& container : json::array_at(*in_.pod, {"spec", list})) {
        if (json::string_at(container, {"name"}) == name) {
          return resource_field(container, *selector, in_.facts);
        }
      }
    }
    return base::fail(Code::invalid, "container " + std::string(name) + " not found");
  }

  const VolumeInputs& in_;
  const std::int64_t mode_;
  VolumeContent content_;
};

base::Result<> fill(Filler& filler, const json::Value& volume) {
  if (const auto* map = json::find(volume, {"configMap"})) {
    return filler.add_object(*map, ReferenceKind::config_map, json::string_at(*map, {"name"}));
  }
  if (const auto* secret = json::find(volume, {"secret"})) {
    return filler.add_object(*secret, ReferenceKind::secret,
                             json::string_at(*secret, {"secretName"}));
  }
  if (const auto* downward = json::find(volume, {"downwardAPI"})) {
    return filler.add_downward(*downward);
  }
  for (const auto& source : json::array_at(volume, {"projected", "sources"})) {
    if (auto done = filler.add_source(source); !done) return done;
  }
  return {};
}

std::int64_t volume_mode(const json::Value& volume) {
  for (const auto* kind : {"configMap", "secret", "downwardAPI", "projected"}) {
    if (const auto mode = json::int_at(volume, {kind, "defaultMode"})) return *mode;
  }
  return default_mode;
}

}  // namespace

std::vector<TokenRequest> token_requests_of(const json::Value& pod) {
  std::vector<TokenRequest> requests;
  for (const auto& volume : json::array_at(pod, {"spec", "volumes"})) {
    for (const auto& source : json::array_at(volume, {"projected", "sources"})) {
      const auto* token = json::find(source, {"serviceAccountToken"});
      if (!token) continue;
      requests.push_back({std::string(json::string_at(*token, {"audience"})),
                          json::int_at(*token, {"expirationSeconds"}, 3600)});
    }
  }
  return requests;
}

bool is_filled_volume(const json::Value& volume) {
  return std::ranges::any_of(
      std::initializer_list<const char*>{"configMap", "secret", "downwardAPI", "projected"},
      [&](const char* kind) { return json::find(volume, {kind}); });
}

bool is_secret_volume(const json::Value& volume) {
  if (json::find(volume, {"secret"})) return true;
  const auto& sources = json::array_at(volume, {"projected", "sources"});
  return std::ranges::any_of(sources, [](const json::Value& source) {
    return json::find(source, {"secret"}) || json::find(source, {"serviceAccountToken"});
  });
}

base::Result<VolumeContent> volume_content(const json::Value& volume, const VolumeInputs& inputs) {
  Filler filler(inputs, volume_mode(volume));
  if (auto done = fill(filler, volume); !done) return base::fail(std::move(done).error());
  return filler.take();
}

}  // namespace koi::agent
