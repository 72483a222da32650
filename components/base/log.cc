#include "base/log.h"

#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <memory>

namespace koi::base::log {

namespace {

Format g_format = Format::text;

void append_json_string(std::string& out, std::string_view text) {
  out += '"';
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20) {
      char escaped[8];
      std::snprintf(escaped, sizeof(escaped), "\\u%04x", byte);
      out += escaped;
    } else {
      out += c;
    }
  }
  out += '"';
}

bool is_plain(std::string_view text) {
  if (text.empty()) return false;
  return text.find_first_of(" \t\n\r\"=\\") == std::string_view::npos;
}

std::string render(std::string_view event, Fields fields) {
  std::string line;
  if (g_format == Format::json) {
    append_json_string(line, event);
    for (const Field& field : fields) {
      line += ',';
      append_json_string(line, field.name);
      line += ':';
      append_json_string(line, field.value);
    }
    return line;
  }
  line = event;
  for (const Field& field : fields) {
    line += ' ';
    line += field.name;
    line += '=';
    if (is_plain(field.value)) {
      line += field.value;
    } else {
      append_json_string(line, field.value);
    }
  }
  return line;
}

spdlog::level::level_enum level_of(Level level) {
  switch (level) {
    case Level::debug:
      return spdlog::level::debug;
    case Level::info:
      return spdlog::level::info;
    case Level::warn:
      return spdlog::level::warn;
    case Level::error:
      return spdlog::level::err;
  }
  return spdlog::level::info;
}

std::shared_ptr<spdlog::logger> make_logger() {
  auto logger =
      std::make_shared<spdlog::logger>("koi", std::make_shared<spdlog::sinks::stderr_sink_mt>());
  logger->set_formatter(std::make_unique<spdlog::pattern_formatter>(
      "%Y-%m-%dT%H:%M:%S.%eZ %l %v", spdlog::pattern_time_type::utc));
  return logger;
}

spdlog::logger& logger() {
  static const std::shared_ptr<spdlog::logger> instance = make_logger();
  return *instance;
}

void write(Level level, std::string_view event, Fields fields) {
  const auto native = level_of(level);
  if (!logger().should_log(native)) return;
  logger().log(native, "{}", render(event, fields));
}

}  // namespace

void configure(Level level, Format format) {
  g_format = format;
  logger().set_level(level_of(level));
  if (format == Format::json) {
    logger().set_formatter(std::make_unique<spdlog::pattern_formatter>(
        R"({"time":"%Y-%m-%dT%H:%M:%S.%eZ","level":"%l","event":%v})",
        spdlog::pattern_time_type::utc));
  }
}

bool enabled(Level level) { return logger().should_log(level_of(level)); }

void debug(std::string_view event, Fields fields) { write(Level::debug, event, fields); }
void info(std::string_view event, Fields fields) { write(Level::info, event, fields); }
void warn(std::string_view event, Fields fields) { write(Level::warn, event, fields); }
void error(std::string_view event, Fields fields) { write(Level::error, event, fields); }

}  // namespace koi::base::log
