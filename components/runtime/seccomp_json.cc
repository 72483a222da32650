#include "runtime/seccomp_json.h"

#include <cerrno>

namespace koi::runtime {

using base::Code;
using base::fail;
using base::Result;
using linux::SeccompAction;
using Operator = linux::SeccompArgument::Operator;

namespace {

struct ActionName {
  std::string_view name;
  SeccompAction action;
};
constexpr ActionName actions[] = {
    {"SCMP_ACT_ALLOW", SeccompAction::allow},
    {"SCMP_ACT_ERRNO", SeccompAction::fail_with_errno},
    {"SCMP_ACT_KILL_PROCESS", SeccompAction::kill_process},
    {"SCMP_ACT_KILL_THREAD", SeccompAction::kill_thread},
    {"SCMP_ACT_KILL", SeccompAction::kill_thread},
    {"SCMP_ACT_TRAP", SeccompAction::trap},
    {"SCMP_ACT_LOG", SeccompAction::log},
    {"SCMP_ACT_TRACE", SeccompAction::trace},
};

struct OperatorName {
  std::string_view name;
  Operator compare;
};
constexpr OperatorName operators[] = {
    {"SCMP_CMP_NE", Operator::not_equal},           {"SCMP_CMP_LT", Operator::less},
    {"SCMP_CMP_LE", Operator::less_equal},          {"SCMP_CMP_EQ", Operator::equal},
    {"SCMP_CMP_GE", Operator::greater_equal},       {"SCMP_CMP_GT", Operator::greater},
    {"SCMP_CMP_MASKED_EQ", Operator::masked_equal},
};

Result<SeccompAction> parse_action(std::string_view text) {
  for (const ActionName& each : actions) {
    if (each.name == text) return each.action;
  }
  return fail(Code::unsupported, "seccomp action '" + std::string(text) + "' is not supported");
}

std::string_view action_name(SeccompAction action) {
  for (const ActionName& each : actions) {
    if (each.action == action) return each.name;
  }
  return {};
}

std::uint64_t number_at(const json::Value& value, std::string_view name) {
  const json::Value* found = json::find(value, {name});
  if (found == nullptr) return 0;
  if (const auto* number = found->if_uint64()) return *number;
  if (const auto* number = found->if_int64()) return static_cast<std::uint64_t>(*number);
  return 0;
}

Result<linux::SeccompArgument> parse_argument(const json::Value& value) {
  linux::SeccompArgument argument;
  argument.index = static_cast<unsigned>(number_at(value, "index"));
  argument.value = number_at(value, "value");
  argument.value_two = number_at(value, "valueTwo");
  const std::string_view name = json::string_at(value, {"op"});
  for (const OperatorName& each : operators) {
    if (each.name != name) continue;
    argument.compare = each.compare;
    return argument;
  }
  return fail(Code::invalid, "seccomp operator '" + std::string(name) + "' is unknown");
}

Result<linux::SeccompRule> parse_rule(const json::Value& value) {
  linux::SeccompRule rule;
  for (const json::Value& name : json::array_at(value, {"names"})) {
    if (const auto* text = name.if_string()) rule.names.emplace_back(*text);
  }
  auto action = parse_action(json::string_at(value, {"action"}));
  if (!action) return fail(std::move(action).error());
  rule.action = *action;
  rule.errno_value = static_cast<unsigned>(json::int_at(value, {"errnoRet"}, EPERM));
  for (const json::Value& each : json::array_at(value, {"args"})) {
    auto argument = parse_argument(each);
    if (!argument) return fail(std::move(argument).error());
    rule.arguments.push_back(*argument);
  }
  return rule;
}

}  // namespace

Result<linux::SeccompProfile> parse_seccomp(const json::Value& value) {
  linux::SeccompProfile profile;
  auto action = parse_action(json::string_at(value, {"defaultAction"}));
  if (!action) return fail(std::move(action).error());
  profile.default_action = *action;
  profile.default_errno = static_cast<unsigned>(json::int_at(value, {"defaultErrnoRet"}, EPERM));
  for (const json::Value& each : json::array_at(value, {"architectures"})) {
    if (const auto* text = each.if_string()) profile.architectures.emplace_back(*text);
  }
  for (const json::Value& each : json::array_at(value, {"syscalls"})) {
    auto rule = parse_rule(each);
    if (!rule) return fail(std::move(rule).error());
    profile.rules.push_back(std::move(*rule));
  }
  return profile;
}

json::Value seccomp_to_json(const linux::SeccompProfile& profile) {
  json::Object object;
  object["defaultAction"] = action_name(profile.default_action);
  object["defaultErrnoRet"] = profile.default_errno;
  json::Array architectures;
  for (const std::string& name : profile.architectures) architectures.emplace_back(name);
  object["architectures"] = std::move(architectures);
  json::Array rules;
  for (const linux::SeccompRule& rule : profile.rules) {
    json::Object entry;
    json::Array names;
    for (const std::string& name : rule.names) names.emplace_back(name);
    entry["names"] = std::move(names);
    entry["action"] = action_name(rule.action);
    if (rule.action == SeccompAction::fail_with_errno) entry["errnoRet"] = rule.errno_value;
    json::Array arguments;
    for (const linux::SeccompArgument& argument : rule.arguments) {
      json::Object condition;
      condition["index"] = argument.index;
      condition["value"] = argument.value;
      condition["valueTwo"] = argument.value_two;
      condition["op"] = operators[static_cast<std::size_t>(argument.compare)].name;
      arguments.emplace_back(std::move(condition));
    }
    entry["args"] = std::move(arguments);
    rules.emplace_back(std::move(entry));
  }
  object["syscalls"] = std::move(rules);
  return object;
}

}  // namespace koi::runtime
