#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>

#include "agent/cri_lines.h"
#include "agent/log_cursor.h"
#include "agent/temporary_directory.h"

namespace koi::agent {

namespace {

namespace fs = std::filesystem;

struct LogCase {
  TemporaryDirectory temporary;
  fs::path path = temporary.path() / "0.log";
  int second = 0;

  // Adds one line, a second after the one before.
  void write(const std::string& text, char tag = 'F', const std::string& stream = "stdout") {
    char time[40];
    std::snprintf(time, sizeof(time), "2026-01-01T00:00:%02d.000000000Z", second++);
    std::ofstream(path, std::ios::app)
        << time << ' ' << stream << ' ' << tag << ' ' << text << '\n';
  }
  void rotate(const std::string& suffix) { fs::rename(path, path.string() + "." + suffix); }
  std::string read(const LogOptions& options) {
    return drain(*std::make_unique<LogCursor>(path, options));
  }
  static std::string drain(LogCursor& cursor) {
    std::string whole;
    for (;;) {
      const auto part = cursor.read();
      REQUIRE(part);
      if (part->empty()) return whole;
      whole += *part;
    }
  }
};

}  // namespace

TEST_CASE("a log is read whole, through its rotated files") {
  LogCase test;
  test.write("a");
  test.rotate("20260101-000001");
  test.write("b");
  test.rotate("20260101-000002");
  test.write("c", 'P');
  test.write("d");
  CHECK(test.read({}) == "a\nb\ncd\n");
}

TEST_CASE("tail counts lines back through rotated files") {
  LogCase test;
  for (const auto* text : {"a", "b", "c"}) test.write(text);
  test.rotate("20260101-000001");
  for (const auto* text : {"d", "e"}) test.write(text);
  const auto tail = [&](std::uint64_t lines) {
    LogOptions options;
    options.tail_lines = lines;
    return test.read(options);
  };
  CHECK(tail(0) == "");
  CHECK(tail(1) == "e\n");
  CHECK(tail(2) == "d\ne\n");
  CHECK(tail(3) == "c\nd\ne\n");
  CHECK(tail(9) == "a\nb\nc\nd\ne\n");
}

TEST_CASE("since, timestamps, stream and limit choose what is shown") {
  LogCase test;
  test.write("a");
  test.write("b", 'F', "stderr");
  test.write("c");
  LogOptions since;
  since.since = *base::parse_time("2026-01-01T00:00:01Z");
  CHECK(test.read(since) == "b\nc\n");
  since.timestamps = true;
  CHECK(test.read(since) == "2026-01-01T00:00:01.000000000Z b\n2026-01-01T00:00:02.000000000Z c\n");
  LogOptions errors;
  errors.stream = "Stderr";
  CHECK(test.read(errors) == "b\n");
  LogOptions limited;
  limited.bytes_max = 3;
  CHECK(test.read(limited) == "a\nb");
}

TEST_CASE("a cursor at the end reads on, also after a rotation") {
  LogCase test;
  LogCursor cursor(test.path, {});
  CHECK(LogCase::drain(cursor) == "");
  test.write("a");
  CHECK(LogCase::drain(cursor) == "a\n");
  test.write("b");
  test.rotate("20260101-000001");
  test.write("c");
  test.rotate("20260101-000002");
  test.write("d");
  CHECK(LogCase::drain(cursor) == "b\nc\nd\n");
  CHECK(LogCase::drain(cursor) == "");
}

TEST_CASE("what is no log line is left out") {
  LogCase test;
  std::ofstream(test.path) << "noise\n\n2026 stdout X no\n";
  test.write("real");
  CHECK(test.read({}) == "real\n");
}

TEST_CASE("the last lines are bounded in lines and bytes") {
  std::string log;
  for (int i = 0; i < 100; ++i) log += "t stdout F " + std::to_string(i) + "\n";
  CHECK(last_lines(log, 2, 100) == "98\n99\n");
  CHECK(last_lines(log, 80, 4) == "\n99\n");
}

}  // namespace koi::agent
