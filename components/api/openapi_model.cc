#include "api/openapi_model.h"

#include <algorithm>
#include <array>
#include <utility>

namespace koi::api::openapi {

namespace {

constexpr std::array list_parameters = {
    Parameter{"allowWatchBookmarks", "boolean", "Asks a watch for BOOKMARK events."},
    Parameter{"continue", "string", "Where the next page of a list starts."},
    Parameter{"fieldSelector", "string", "Restricts the objects by their fields."},
    Parameter{"labelSelector", "string", "Restricts the objects by their labels."},
    Parameter{"limit", "integer", "The largest number of objects in one answer."},
    Parameter{"resourceVersion", "string", "The revision that the answer must reflect."},
    Parameter{"resourceVersionMatch", "string", "How resourceVersion is applied to a list."},
    Parameter{"sendInitialEvents", "boolean", "Starts a watch with the current state."},
    Parameter{"timeoutSeconds", "integer", "After how long the call ends."},
    Parameter{"watch", "boolean", "Asks for a stream of changes."},
};
constexpr std::array write_parameters = {
    Parameter{"dryRun", "string", "'All' processes every stage but stores nothing."},
    Parameter{"fieldManager", "string", "The name of the actor that makes the change."},
    Parameter{"fieldValidation", "string",
              "What happens to unknown and duplicate fields: Ignore, Warn or Strict."},
};
constexpr std::array patch_parameters = {
    write_parameters[0],
    write_parameters[1],
    write_parameters[2],
    Parameter{"force", "boolean", "Takes over fields that others own, when applying."},
};
constexpr std::array delete_parameters = {
    write_parameters[0],
    Parameter{"gracePeriodSeconds", "integer", "Seconds before the object is removed."},
    Parameter{"orphanDependents", "boolean", "Superseded by propagationPolicy."},
    Parameter{"propagationPolicy", "string",
              "What happens to dependents: Orphan, Background or Foreground."},
};
constexpr std::array delete_collection_parameters = {
    write_parameters[0], delete_parameters[1], delete_parameters[2], delete_parameters[3],
    list_parameters[1],  list_parameters[2],   list_parameters[3],   list_parameters[4],
    list_parameters[5],  list_parameters[6],   list_parameters[7],   list_parameters[8],
};

std::string capitalized(std::string_view text) {
  std::string out;
  bool starts_word = true;
  for (const char c : text) {
    if (c == '.' || c == '-' || c == '/' || c == '*') {
      starts_word = true;
      continue;
    }
    out += starts_word && c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    starts_word = false;
  }
  return out;
}

std::string_view short_group(std::string_view group) {
  static constexpr std::string_view suffix = ".k8s.io";
  if (group.ends_with(suffix)) group.remove_suffix(suffix.size());
  return group.empty() ? "core" : group;
}

std::string group_version_word(const Kind& kind) {
  return capitalized(short_group(kind.group)) + capitalized(kind.version);
}

std::string tag_of(const Kind& kind) {
  std::string tag;
  bool starts_word = false;
  for (const char c : short_group(kind.group)) {
    if (c == '.') {
      starts_word = true;
      continue;
    }
    tag += starts_word && c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    starts_word = false;
  }
  return tag + "_" + std::string(kind.version);
}

std::string root_of(const Kind& kind) {
  if (kind.group.empty()) return "/api/" + std::string(kind.version);
  return "/apis/" + std::string(kind.group) + "/" + std::string(kind.version);
}

// Builds the operations of one kind.
class Paths {
 public:
  Paths(const Schema& schema, const Kind& kind) : schema_(schema), kind_(kind) {
    status_ = type_named("Status");
    delete_options_ = type_named("DeleteOptions");
    self_ = {kind.group, kind.version, kind.kind};
    scope_ = kind.namespaced ? "Namespaced" : "";
  }

  PathItem collection() const {
    PathItem item = item_at(scoped_root());
    item.has_namespace = kind_.namespaced;
    if (kind_.has_verb("list")) add_list(item, scope_, "");
    if (kind_.has_verb("create")) {
      add(item, {.method = "post",
                 .action = "post",
                 .id = id("create", scope_, ""),
                 .doc = "create " + article(),
                 .body = kind_.type->name,
                 .response = kind_.type->name,
                 .kind = self_,
                 .parameters = write_parameters});
    }
    if (kind_.has_verb("deletecollection")) {
      add(item, {.method = "delete",
                 .action = "deletecollection",
                 .id = id("delete", "Collection" + scope_, ""),
                 .doc = "delete collection of " + std::string(kind_.kind),
                 .body = delete_options_,
                 .response = status_,
                 .kind = self_,
                 .parameters = delete_collection_parameters});
    }
    return item;
  }

  PathItem all_namespaces() const {
    PathItem item = item_at(root_of(kind_) + "/" + std::string(kind_.plural));
    add_list(item, "", "ForAllNamespaces");
    return item;
  }

  PathItem object() const {
    PathItem item = item_at(scoped_root() + "/{name}");
    item.has_namespace = kind_.namespaced;
    item.has_name = true;
    const std::string_view type = kind_.type->name;
    if (kind_.has_verb("get")) {
      add(item, {.method = "get",
                 .action = "get",
                 .id = id("read", scope_, ""),
                 .doc = "read the specified " + std::string(kind_.kind),
                 .body = {},
                 .response = type,
                 .kind = self_,
                 .parameters = {}});
    }
    if (kind_.has_verb("update")) {
      add(item, {.method = "put",
                 .action = "put",
                 .id = id("replace", scope_, ""),
                 .doc = "replace the specified " + std::string(kind_.kind),
                 .body = type,
                 .response = type,
                 .kind = self_,
                 .parameters = write_parameters});
    }
    if (kind_.has_verb("delete")) {
      add(item, {.method = "delete",
                 .action = "delete",
                 .id = id("delete", scope_, ""),
                 .doc = "delete " + article(),
                 .body = delete_options_,
                 .response = status_,
                 .kind = self_,
                 .parameters = delete_parameters});
    }
    if (kind_.has_verb("patch")) {
      add(item, {.method = "patch",
                 .action = "patch",
                 .id = id("patch", scope_, ""),
                 .doc = "partially update the specified " + std::string(kind_.kind),
                 .body = patch_type,
                 .response = type,
                 .kind = self_,
                 .parameters = patch_parameters});
    }
    return item;
  }

  PathItem subresource(const Subresource& sub) const {
    const bool is_wild = sub.name.ends_with("/*");
    std::string name(sub.name);
    if (is_wild) name.replace(name.size() - 1, 1, "{path}");
    PathItem item = item_at(scoped_root() + "/{name}/" + name);
    item.has_namespace = kind_.namespaced;
    item.has_name = true;
    const Kind* body = schema_.find(sub.group, sub.version, sub.kind);
    for (const std::string_view verb : sub.verbs) add_subresource_verb(item, sub, body, verb);
    return item;
  }

 private:
  std::string_view type_named(std::string_view name) const {
    const Type* type = schema_.find_type(std::string(meta_prefix) + std::string(name));
    return type != nullptr ? type->name : std::string_view();
  }

  PathItem item_at(std::string path) const {
    PathItem item;
    item.path = std::move(path);
    item.tag = tag_of(kind_);
    return item;
  }

  std::string scoped_root() const {
    return root_of(kind_) + (kind_.namespaced ? "/namespaces/{namespace}/" : "/") +
           std::string(kind_.plural);
  }

  std::string article() const {
    const bool is_vowel = std::string_view("AEIO").find(kind_.kind.front()) != std::string::npos;
    return (is_vowel ? "an " : "a ") + std::string(kind_.kind);
  }

  std::string id(std::string_view verb, std::string_view scope, std::string_view tail) const {
    return std::string(verb) + group_version_word(kind_) + std::string(scope) +
           std::string(kind_.kind) + std::string(tail);
  }

  static void add(PathItem& item, Operation operation) {
    item.operations.push_back(std::move(operation));
  }

  void add_list(PathItem& item, std::string_view scope, std::string_view tail) const {
    add(item, {.method = "get",
               .action = "list",
               .id = id("list", scope, tail),
               .doc = "list or watch objects of kind " + std::string(kind_.kind),
               .body = {},
               .response = kind_.list_type != nullptr ? kind_.list_type->name : status_,
               .kind = self_,
               .parameters = list_parameters});
  }

  void add_subresource_verb(PathItem& item, const Subresource& sub, const Kind* body,
                            std::string_view verb) const {
    struct Words {
      std::string_view verb, method, action, id;
    };
    static constexpr Words words[] = {
        {"get", "get", "get", "read"},           {"update", "put", "put", "replace"},
        {"put", "put", "put", "replace"},        {"patch", "patch", "patch", "patch"},
        {"create", "post", "post", "create"},    {"post", "post", "post", "create"},
        {"delete", "delete", "delete", "delete"}};
    const auto* const found = std::ranges::find(words, verb, &Words::verb);
    if (found == std::end(words)) return;
    const bool connects = sub.kind.ends_with("Options");
    const std::string_view type =
        body != nullptr && body->type != nullptr && !connects && sub.name != "log"
            ? body->type->name
            : std::string_view();
    const bool writes = found->method != "get" && found->method != "delete";
    Operation operation{
        .method = found->method,
        .action = connects ? "connect" : found->action,
        .id = id(connects ? "connect" + capitalized(found->method) : std::string(found->id), scope_,
                 capitalized(sub.name)),
        .doc = std::string(connects ? "connect to " : found->id) + " " + std::string(sub.name) +
               " of the specified " + std::string(kind_.kind),
        .body = {},
        .response = type,
        .kind = {sub.group, sub.version, sub.kind},
        .parameters = {}};
    if (writes && !type.empty()) {
      operation.body = found->method == "patch" ? patch_type : type;
      operation.parameters = write_parameters;
      if (found->method == "patch") operation.parameters = patch_parameters;
    }
    add(item, std::move(operation));
  }

  const Schema& schema_;
  const Kind& kind_;
  std::string_view status_;
  std::string_view delete_options_;
  KindName self_;
  std::string scope_;
};

std::string_view strategy_text(PatchStrategy strategy) {
  switch (strategy) {
    case PatchStrategy::none:
      return "";
    case PatchStrategy::merge:
      return "merge";
    case PatchStrategy::replace:
      return "replace";
    case PatchStrategy::retain_keys:
      return "retainKeys";
    case PatchStrategy::merge_retain_keys:
      return "merge,retainKeys";
  }
  return "";
}

std::string_view list_type_text(ListType type) {
  switch (type) {
    case ListType::atomic:
      return "atomic";
    case ListType::set:
      return "set";
    case ListType::map:
      return "map";
  }
  return "";
}

void collect(const Shape* shape, TypeSet& types) {
  while (shape != nullptr && shape->element != nullptr) shape = shape->element;
  if (shape == nullptr || shape->type == nullptr || !types.insert(shape->type).second) return;
  for (const Field& field : shape->type->fields) collect(field.shape, types);
}

void collect_type(const Type* type, TypeSet& types) {
  if (type == nullptr || !types.insert(type).second) return;
  for (const Field& field : type->fields) collect(field.shape, types);
}

}  // namespace

KindNames kind_names(const Schema& schema) {
  KindNames names;
  for (const Kind& kind : schema.kinds()) {
    if (kind.type != nullptr) names[kind.type].push_back({kind.group, kind.version, kind.kind});
    if (kind.list_type != nullptr) {
      names[kind.list_type].push_back({kind.group, kind.version, kind.list_kind});
    }
  }
  for (const Kind& body : schema.bodies()) {
    if (body.type != nullptr) names[body.type].push_back({body.group, body.version, body.kind});
  }
  return names;
}

void for_each_path(const Schema& schema, const Kind& kind,
                   const std::function<void(const PathItem&)>& visit) {
  if (kind.type == nullptr) return;
  const Paths paths(schema, kind);
  const auto visit_filled = [&visit](const PathItem& item) {
    if (!item.operations.empty()) visit(item);
  };
  visit_filled(paths.collection());
  visit_filled(paths.object());
  for (const Subresource& sub : kind.subresources) visit_filled(paths.subresource(sub));
  if (kind.namespaced && kind.has_verb("list")) visit_filled(paths.all_namespaces());
}

TypeSet reachable_types(const Schema& schema, std::span<const Kind* const> kinds) {
  TypeSet types;
  for (const Kind* kind : kinds) {
    collect_type(kind->type, types);
    collect_type(kind->list_type, types);
    for (const Subresource& sub : kind->subresources) {
      const Kind* body = schema.find(sub.group, sub.version, sub.kind);
      if (body != nullptr) collect_type(body->type, types);
    }
  }
  for (const std::string_view name : {"DeleteOptions", "Status", "WatchEvent"}) {
    collect_type(schema.find_type(std::string(meta_prefix) + std::string(name)), types);
  }
  return types;
}

std::vector<const Kind*> kinds_of(const Schema& schema, std::string_view group,
                                  std::string_view version) {
  std::vector<const Kind*> kinds;
  for (const Kind& kind : schema.kinds()) {
    if (kind.group == group && kind.version == version) kinds.push_back(&kind);
  }
  return kinds;
}

std::vector<std::pair<std::string_view, std::string>> merge_rules_json(const Field& field) {
  const FieldRules& rules = *field.rules;
  std::vector<std::pair<std::string_view, std::string>> extensions;
  const auto text = [](std::string_view word) { return "\"" + std::string(word) + "\""; };
  if (field.shape->kind == ShapeKind::array) {
    extensions.emplace_back("x-kubernetes-list-type", text(list_type_text(rules.list_type)));
    std::string keys;
    for (const std::string_view key : rules.list_map_keys) {
      keys.append(keys.empty() ? "[" : ",").append(text(key));
    }
    if (!keys.empty()) extensions.emplace_back("x-kubernetes-list-map-keys", keys + "]");
  }
  if (rules.map_type == MapType::atomic) {
    extensions.emplace_back("x-kubernetes-map-type", text("atomic"));
  }
  if (!rules.patch_merge_key.empty()) {
    extensions.emplace_back("x-kubernetes-patch-merge-key", text(rules.patch_merge_key));
  }
  if (rules.patch_strategy != PatchStrategy::none) {
    extensions.emplace_back("x-kubernetes-patch-strategy",
                            text(strategy_text(rules.patch_strategy)));
  }
  return extensions;
}

Leaf leaf_of(const Type& type) {
  if (!type.fields.empty()) return Leaf::none;
  const std::string_view name = type.name.substr(type.name.rfind('.') + 1);
  if (name == "Quantity") return Leaf::quantity;
  if (name == "IntOrString") return Leaf::int_or_string;
  if (name == "Time" || name == "MicroTime") return Leaf::time;
  if (name.starts_with("JSON")) return Leaf::any_value;
  if (name == "RawExtension" || name == "FieldsV1" || name == "Patch") return Leaf::any_object;
  return Leaf::none;
}

}  // namespace koi::api::openapi
