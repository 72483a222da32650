#include "agent/cri_lines.h"

#include <deque>

namespace koi::agent {

namespace {

std::string_view take_word(std::string_view& text) {
  const auto space = text.find(' ');
  const auto word = text.substr(0, space);
  text.remove_prefix(space == std::string_view::npos ? text.size() : space + 1);
  return word;
}

}  // namespace

std::optional<CriLine> parse_cri_line(std::string_view line) {
  CriLine parsed;
  parsed.time = take_word(line);
  parsed.stream = take_word(line);
  const auto tag = take_word(line);
  if (parsed.stream != "stdout" && parsed.stream != "stderr") return std::nullopt;
  if (tag.empty() || (tag.front() != 'F' && tag.front() != 'P')) return std::nullopt;
  parsed.partial = tag.front() == 'P';
  parsed.text = line;
  return parsed;
}

std::string last_lines(std::string_view log, std::size_t lines_max, std::size_t bytes_max) {
  std::deque<std::string> lines;
  bool joins = false;
  while (!log.empty()) {
    const auto newline = log.find('\n');
    const auto line = parse_cri_line(log.substr(0, newline));
    log.remove_prefix(newline == std::string_view::npos ? log.size() : newline + 1);
    if (!line) continue;
    if (!joins) lines.emplace_back();
    lines.back() += line->text;
    if (!line->partial) lines.back() += '\n';
    joins = line->partial;
    if (lines.size() > lines_max) lines.pop_front();
  }
  std::string text;
  for (const auto& line : lines) text += line;
  if (text.size() > bytes_max) text.erase(0, text.size() - bytes_max);
  return text;
}

}  // namespace koi::agent
