#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

// Structured logging: an event name, then fields. Program code logs, library code returns errors.
// A tolerated failure says what happens next. Secrets never become fields.
namespace koi::base::log {

enum class Level { debug, info, warn, error };
enum class Format { text, json };

// One field. Holds a copy of the text of its value.
struct Field {
  Field(std::string_view name_in, std::string_view value_in) : name(name_in), value(value_in) {}
  Field(std::string_view name_in, const char* value_in) : name(name_in), value(value_in) {}
  Field(std::string_view name_in, const std::string& value_in) : name(name_in), value(value_in) {}
  Field(std::string_view name_in, bool value_in)
      : name(name_in), value(value_in ? "true" : "false") {}
  template <class Number>
    requires(std::is_arithmetic_v<Number> && !std::is_same_v<Number, bool>)
  Field(std::string_view name_in, Number value_in)
      : name(name_in), value(std::to_string(value_in)) {}

  std::string_view name;
  std::string value;
};

using Fields = std::initializer_list<Field>;

// Set once at start, before other threads run. Lines go to stderr.
void configure(Level level, Format format);
bool enabled(Level level);

void debug(std::string_view event, Fields fields = {});
void info(std::string_view event, Fields fields = {});
void warn(std::string_view event, Fields fields = {});
void error(std::string_view event, Fields fields = {});

}  // namespace koi::base::log
