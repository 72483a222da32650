#include <algorithm>

#include "api/table_rows.h"

namespace koi::api::tables {

namespace {

constexpr std::size_t metrics_shown_max = 2;

struct MetricSource {
  std::string_view type;
  std::string_view member;
};

constexpr MetricSource sources[] = {{"Resource", "resource"},
                                    {"ContainerResource", "containerResource"},
                                    {"Pods", "pods"},
                                    {"Object", "object"},
                                    {"External", "external"}};

std::string metric_name(const json::Value& source) {
  const std::string_view name = json::string_at(source, {"name"});
  return std::string(name.empty() ? json::string_at(source, {"metric", "name"}) : name);
}

// "5%" or "100m", by what the target is given in.
std::string amount(const json::Value* values, std::string_view utilization,
                   std::string_view average, std::string_view value) {
  if (values == nullptr) return {};
  if (const auto percent = json::int_at(*values, {utilization})) {
    return std::to_string(*percent) + "%";
  }
  std::string text = scalar_text(json::find(*values, {average}));
  if (!text.empty()) return text + (average == value ? "" : " (avg)");
  return scalar_text(json::find(*values, {value}));
}

std::string format_metric(const json::Value& spec, const json::Value* status) {
  const std::string_view type = json::string_at(spec, {"type"});
  const auto* const source = std::ranges::find(sources, type, &MetricSource::type);
  if (source == std::end(sources)) return "<unknown type>";
  const json::Value* wanted = json::find(spec, {source->member});
  if (wanted == nullptr) return "<unknown>";
  const json::Value* target = json::find(*wanted, {"target"});
  const json::Value* current =
      status != nullptr ? json::find(*status, {source->member, "current"}) : nullptr;
  const bool is_resource = type == "Resource" || type == "ContainerResource";
  const bool is_percent = target != nullptr && json::int_at(*target, {"averageUtilization"});
  std::string is = is_percent && current != nullptr
                       ? amount(current, "averageUtilization", "averageValue", "averageValue")
                       : amount(current, "", "averageValue", "value");
  std::string should = amount(target, "averageUtilization", "averageValue", "value");
  // The average of a resource needs no remark: it is always one.
  const bool has_remark = should.ends_with(" (avg)");
  if ((is_resource || type == "Pods") && has_remark) should.resize(should.size() - 6);
  if (is.ends_with(" (avg)")) is.resize(is.size() - 6);
  if (is.empty()) is = "<unknown>";
  if (should.empty()) should = "<auto>";
  std::string text = is;
  text.append("/").append(should);
  if (is_resource) {
    std::string prefix = metric_name(*wanted);
    text = prefix.append(": ").append(text);
  }
  return text;
}

std::string format_metrics(const json::Value& object) {
  const json::Array& specs = json::array_at(object, {"spec", "metrics"});
  const json::Array& statuses = json::array_at(object, {"status", "currentMetrics"});
  if (specs.empty()) return "<none>";
  std::vector<std::string> parts;
  for (std::size_t i = 0; i < specs.size() && i < metrics_shown_max; ++i) {
    parts.push_back(format_metric(specs[i], i < statuses.size() ? &statuses[i] : nullptr));
  }
  std::string text = join(parts, ", ");
  if (specs.size() > metrics_shown_max) {
    text += " + " + std::to_string(specs.size() - metrics_shown_max) + " more...";
  }
  return text;
}

// Version 1 knows only a share of the CPU.
std::string format_cpu(const json::Value& object, std::int64_t target) {
  const auto current = json::int_at(object, {"status", "currentCPUUtilizationPercentage"});
  return "cpu: " + (current ? std::to_string(*current) + "%" : std::string("<unknown>")) + "/" +
         std::to_string(target) + "%";
}

}  // namespace

void print_autoscaler(Row& row) {
  const json::Value& object = row.object();
  const auto cpu = json::int_at(object, {"spec", "targetCPUUtilizationPercentage"});
  row.name();
  row.text(std::string(json::string_at(object, {"spec", "scaleTargetRef", "kind"})) + "/" +
           std::string(json::string_at(object, {"spec", "scaleTargetRef", "name"})));
  row.text(cpu ? format_cpu(object, *cpu) : format_metrics(object));
  const std::string min = scalar_text(json::find(object, {"spec", "minReplicas"}));
  row.text(min.empty() ? "<unset>" : min);
  row.number_at({"spec", "maxReplicas"});
  row.number_at({"status", "currentReplicas"});
  row.age();
}

}  // namespace koi::api::tables
