#include "base/time.h"

#include <charconv>
#include <cstdint>
#include <cstdio>

namespace koi::base {

namespace {

using std::chrono::days;
using std::chrono::floor;
using std::chrono::nanoseconds;

std::string format_seconds(std::chrono::sys_seconds time) {
  const auto day = floor<days>(time);
  const std::chrono::year_month_day date{day};
  const std::chrono::hh_mm_ss clock{time - day};
  char text[40];
  std::snprintf(text, sizeof(text), "%04d-%02u-%02uT%02d:%02d:%02d", static_cast<int>(date.year()),
                static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                static_cast<int>(clock.hours().count()), static_cast<int>(clock.minutes().count()),
                static_cast<int>(clock.seconds().count()));
  return text;
}

std::string format_fraction(std::int64_t value, int digits) {
  char text[24];
  std::snprintf(text, sizeof(text), ".%0*lldZ", digits, static_cast<long long>(value));
  return text;
}

// Takes exactly `count` digits from the front of `text`.
bool take_number(std::string_view& text, std::size_t count, int& value) {
  if (text.size() < count) return false;
  const auto [end, error] = std::from_chars(text.data(), text.data() + count, value);
  if (error != std::errc{} || end != text.data() + count) return false;
  text.remove_prefix(count);
  return true;
}

bool take_char(std::string_view& text, char expected) {
  if (text.empty() || (text.front() | 0x20) != (expected | 0x20)) return false;
  text.remove_prefix(1);
  return true;
}

bool take_fraction(std::string_view& text, nanoseconds& fraction) {
  if (!take_char(text, '.')) return true;
  std::int64_t value = 0;
  std::int64_t scale = 1'000'000'000;
  std::size_t digits = 0;
  while (!text.empty() && text.front() >= '0' && text.front() <= '9') {
    if (scale > 1) {
      value = value * 10 + (text.front() - '0');
      scale /= 10;
    }
    text.remove_prefix(1);
    ++digits;
  }
  fraction = nanoseconds{value * scale};
  return digits > 0;
}

bool take_offset(std::string_view& text, std::chrono::minutes& offset) {
  if (take_char(text, 'Z')) return text.empty();
  if (text.empty() || (text.front() != '+' && text.front() != '-')) return false;
  const int sign = text.front() == '-' ? -1 : 1;
  text.remove_prefix(1);
  int hours = 0;
  int minutes = 0;
  if (!take_number(text, 2, hours) || !take_char(text, ':') || !take_number(text, 2, minutes)) {
    return false;
  }
  offset = std::chrono::minutes{sign * (hours * 60 + minutes)};
  return text.empty() && hours < 24 && minutes < 60;
}

}  // namespace

std::string format_time(WallTime time) {
  return format_seconds(floor<std::chrono::seconds>(time)) + "Z";
}

std::string format_micro_time(WallTime time) {
  const auto seconds = floor<std::chrono::seconds>(time);
  return format_seconds(seconds) + format_fraction((time - seconds).count(), 6);
}

std::string format_nano_time(std::chrono::sys_time<nanoseconds> time) {
  const auto seconds = floor<std::chrono::seconds>(time);
  return format_seconds(seconds) + format_fraction((time - seconds).count(), 9);
}

Result<WallTime> parse_time(std::string_view text) {
  const std::string_view whole = text;
  int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0;
  nanoseconds fraction{0};
  std::chrono::minutes offset{0};
  const bool parsed =
      take_number(text, 4, year) && take_char(text, '-') && take_number(text, 2, month) &&
      take_char(text, '-') && take_number(text, 2, day) && take_char(text, 'T') &&
      take_number(text, 2, hour) && take_char(text, ':') && take_number(text, 2, minute) &&
      take_char(text, ':') && take_number(text, 2, second) && take_fraction(text, fraction) &&
      take_offset(text, offset);
  const std::chrono::year_month_day date{std::chrono::year{year},
                                         std::chrono::month{static_cast<unsigned>(month)},
                                         std::chrono::day{static_cast<unsigned>(day)}};
  if (!parsed || !date.ok() || hour > 23 || minute > 59 || second > 60) {
    return fail(Code::invalid, "'" + std::string(whole) + "' is not an RFC 3339 time");
  }
  // In microseconds: nanoseconds since 1970 do not fit for all years that four digits can write.
  const WallTime time = std::chrono::sys_days{date} + std::chrono::hours{hour} +
                        std::chrono::minutes{minute} + std::chrono::seconds{second} - offset +
                        floor<Duration>(fraction);
  // An offset can lead out of them.
  const auto written_year = std::chrono::year_month_day{floor<days>(time)}.year();
  if (written_year < std::chrono::year{0} || written_year > std::chrono::year{9999}) {
    return fail(Code::invalid, "'" + std::string(whole) + "' is not an RFC 3339 time");
  }
  return time;
}

}  // namespace koi::base
