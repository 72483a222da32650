#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "api/names.h"
#include "api/schema.h"
#include "api/status.h"
#include "api/validation.h"
#include "json/value.h"

// The rules of the single kinds. Each appends what it finds wrong.
namespace koi::api::rules {

// "spec" + "ports" -> "spec.ports"; an empty path is the object itself.
std::string at(std::string_view path, std::string_view member);
// "ports", 0 -> "ports[0]".
std::string at(std::string_view path, std::size_t index);
// "data", "a" -> "data[a]".
std::string at_key(std::string_view path, std::string_view key);

// True for a missing value, "", [] and {}.
bool is_empty(const json::Value& object, json::Path path);

// The bounds that many fields share.
void check_not_negative(FieldErrors& errors, const json::Value& object, std::string_view path,
                        std::string_view member);
void check_port_number(FieldErrors& errors, std::string path, std::int64_t port);
// A number in range or the name of a port.
void check_port_reference(FieldErrors& errors, std::string path, const json::Value* port);
void check_labels(FieldErrors& errors, std::string_view path, const json::Object& labels);
void check_name(FieldErrors& errors, std::string path, std::string_view name,
                Complaint (*check)(std::string_view));
// Adds "field is immutable" if the two differ.
void check_immutable(FieldErrors& errors, std::string path, const json::Value* value,
                     const json::Value* before);
bool is_same(const json::Value* left, const json::Value* right);

void check_meta(FieldErrors& errors, const ValidationRequest& request);
// Required strings and strings out of a closed set, wherever the description of the kind has them.
void check_schema(FieldErrors& errors, const json::Value& object, const Type& type);

void check_pod_spec(FieldErrors& errors, const json::Value& spec, std::string_view path);
void check_pod_update(FieldErrors& errors, const json::Value& pod, const json::Value& before);
void check_probe(FieldErrors& errors, const json::Value& probe, std::string_view path,
                 std::string_view kind);
void check_volumes(FieldErrors& errors, const json::Value& spec, std::string_view path);
void check_resources(FieldErrors& errors, const json::Value& resources, std::string_view path);

// The rules of one kind, if it has any beyond the general ones.
using KindRule = void (*)(FieldErrors& errors, const ValidationRequest& request);
KindRule workload_rule(const Kind& kind);
KindRule core_rule(const Kind& kind);
KindRule policy_rule(const Kind& kind);

}  // namespace koi::api::rules
