#include <algorithm>
#include <array>

#include "api/table_rows.h"

namespace koi::api::tables {

namespace {

std::string access_modes(const json::Array& modes) {
  static constexpr std::pair<std::string_view, std::string_view> short_names[] = {
      {"ReadWriteOnce", "RWO"},
      {"ReadOnlyMany", "ROX"},
      {"ReadWriteMany", "RWX"},
      {"ReadWriteOncePod", "RWOP"}};
  std::vector<std::string> parts;
  for (const auto& [name, short_name] : short_names) {
    const bool has_mode = std::ranges::any_of(
        modes, [&](const json::Value& mode) { return json::string_at(mode, {}) == name; });
    if (has_mode) parts.emplace_back(short_name);
  }
  return join(parts, ",");
}

std::string_view phase_of(const json::Value& object) {
  if (json::find(object, {"metadata", "deletionTimestamp"}) != nullptr) return "Terminating";
  return json::string_at(object, {"status", "phase"});
}

std::string_view storage_class(const json::Value& object) {
  const std::string_view name = json::string_at(object, {"spec", "storageClassName"});
  if (!name.empty()) return name;
  return json::string_at(object,
                         {"metadata", "annotations", "volume.beta.kubernetes.io/storage-class"});
}

constexpr Column volume_mode_column{"VolumeMode", "Whether it holds files or is a block device.",
                                    "string", "", 1};
constexpr Column attributes_class_column{"VolumeAttributesClass", "The class of its attributes."};

constexpr std::array volume_columns = {
    name_column,
    Column{"Capacity", "The size of the volume."},
    Column{"Access Modes", "How it can be mounted."},
    Column{"Reclaim Policy", "What happens to it after its claim is gone."},
    Column{"Status", "Whether it is free, bound or released."},
    Column{"Claim", "The claim it is bound to."},
    Column{"StorageClass", "The class it belongs to."},
    attributes_class_column,
    Column{"Reason", "Why it is in its state."},
    age_column,
    volume_mode_column,
};

void print_volume(Row& row) {
  const json::Value& volume = row.object();
  row.name();
  row.text(scalar_text(json::find(volume, {"spec", "capacity", "storage"})));
  row.text(access_modes(json::array_at(volume, {"spec", "accessModes"})));
  row.text_at({"spec", "persistentVolumeReclaimPolicy"});
  row.text(phase_of(volume));
  std::string claim;
  if (json::find(volume, {"spec", "claimRef"}) != nullptr) {
    claim = json::string_at(volume, {"spec", "claimRef", "namespace"});
    claim.append("/").append(json::string_at(volume, {"spec", "claimRef", "name"}));
  }
  row.text(claim);
  row.text(storage_class(volume));
  row.text_at({"spec", "volumeAttributesClassName"}, "<unset>");
  row.text_at({"status", "reason"});
  row.age();
  row.text_at({"spec", "volumeMode"}, "<unset>");
}

constexpr std::array claim_columns = {
    name_column,
    Column{"Status", "Whether a volume is bound to it."},
    Column{"Volume", "The volume that is."},
    Column{"Capacity", "The size of that volume."},
    Column{"Access Modes", "How it can be mounted."},
    Column{"StorageClass", "The class it asks for."},
    attributes_class_column,
    age_column,
    volume_mode_column,
};

void print_claim(Row& row) {
  const json::Value& claim = row.object();
  const bool is_bound = !json::string_at(claim, {"spec", "volumeName"}).empty();
  row.name();
  row.text(phase_of(claim));
  row.text_at({"spec", "volumeName"});
  row.text(is_bound ? scalar_text(json::find(claim, {"status", "capacity", "storage"})) : "");
  row.text(is_bound ? access_modes(json::array_at(claim, {"status", "accessModes"})) : "");
  row.text(storage_class(claim));
  row.text_at({"spec", "volumeAttributesClassName"}, "<unset>");
  row.age();
  row.text_at({"spec", "volumeMode"}, "<unset>");
}

constexpr std::array storage_class_columns = {
    name_column,
    Column{"Provisioner", "What makes the volumes."},
    Column{"ReclaimPolicy", "What happens to a volume after its claim is gone."},
    Column{"VolumeBindingMode", "When a volume is chosen."},
    Column{"AllowVolumeExpansion", "Whether volumes can grow.", "boolean"},
    age_column,
};

void print_storage_class(Row& row) {
  const json::Value& object = row.object();
  std::string name(json::string_at(object, {"metadata", "name"}));
  for (const std::string_view key : {"storageclass.kubernetes.io/is-default-class",
                                     "storageclass.beta.kubernetes.io/is-default-class"}) {
    if (json::string_at(object, {"metadata", "annotations", key}) == "true") {
      name += " (default)";
      break;
    }
  }
  row.text(name);
  row.text_at({"provisioner"});
  row.text_at({"reclaimPolicy"}, "Delete");
  row.text_at({"volumeBindingMode"}, "Immediate");
  row.boolean(json::bool_at(object, {"allowVolumeExpansion"}));
  row.age();
}

constexpr std::array attributes_class_columns = {
    name_column, Column{"DriverName", "The driver it is for."}, age_column};

void print_attributes_class(Row& row) {
  row.name();
  row.text_at({"driverName"});
  row.age();
}

constexpr std::array attachment_columns = {
    name_column,
    Column{"Attacher", "The driver that attaches."},
    Column{"PV", "The volume."},
    Column{"Node", "The node it is attached to."},
    Column{"Attached", "Whether it is.", "boolean"},
    age_column,
};

void print_attachment(Row& row) {
  row.name();
  row.text_at({"spec", "attacher"});
  row.text_at({"spec", "source", "persistentVolumeName"});
  row.text_at({"spec", "nodeName"});
  row.boolean(json::bool_at(row.object(), {"status", "attached"}));
  row.age();
}

constexpr std::array csi_node_columns = {
    name_column, Column{"Drivers", "Drivers on the node.", "integer"}, age_column};

void print_csi_node(Row& row) {
  row.name();
  row.number(static_cast<std::int64_t>(json::array_at(row.object(), {"spec", "drivers"}).size()));
  row.age();
}

constexpr std::array csi_driver_columns = {
    name_column,
    Column{"AttachRequired", "Whether volumes are attached first.", "boolean"},
    Column{"PodInfoOnMount", "Whether it is told about the pod.", "boolean"},
    Column{"StorageCapacity", "Whether it publishes free space.", "boolean"},
    Column{"TokenRequests", "Audiences of the tokens it gets."},
    Column{"RequiresRepublish", "Whether it is called again and again.", "boolean"},
    Column{"Modes", "How volumes live."},
    age_column,
};

void print_csi_driver(Row& row) {
  const json::Value& object = row.object();
  const std::vector<std::string> audiences =
      collect(json::array_at(object, {"spec", "tokenRequests"}), "audience");
  std::vector<std::string> modes;
  for (const json::Value& mode : json::array_at(object, {"spec", "volumeLifecycleModes"})) {
    modes.emplace_back(json::string_at(mode, {}));
  }
  row.name();
  row.boolean(json::bool_at(object, {"spec", "attachRequired"}, true));
  row.boolean(json::bool_at(object, {"spec", "podInfoOnMount"}));
  row.boolean(json::bool_at(object, {"spec", "storageCapacity"}));
  row.text(audiences.empty() ? "<unset>" : join(audiences, ","));
  row.boolean(json::bool_at(object, {"spec", "requiresRepublish"}));
  row.text(modes.empty() ? "<none>" : join(modes, ","));
  row.age();
}

constexpr std::array capacity_columns = {name_column,
                                         Column{"StorageClassName", "The class it is about."},
                                         Column{"Capacity", "The space that is free."}};

void print_capacity(Row& row) {
  row.name();
  row.text_at({"storageClassName"});
  row.text(scalar_text(json::find(row.object(), {"capacity"})));
}

constexpr std::string_view group = "storage.k8s.io";
constexpr std::array kind_tables = {
    KindTable{"", "PersistentVolume", volume_columns, print_volume},
    KindTable{"", "PersistentVolumeClaim", claim_columns, print_claim},
    KindTable{group, "StorageClass", storage_class_columns, print_storage_class},
    KindTable{group, "VolumeAttributesClass", attributes_class_columns, print_attributes_class},
    KindTable{group, "VolumeAttachment", attachment_columns, print_attachment},
    KindTable{group, "CSINode", csi_node_columns, print_csi_node},
    KindTable{group, "CSIDriver", csi_driver_columns, print_csi_driver},
    KindTable{group, "CSIStorageCapacity", capacity_columns, print_capacity},
};

}  // namespace

std::span<const KindTable> storage_tables() { return kind_tables; }

}  // namespace koi::api::tables
