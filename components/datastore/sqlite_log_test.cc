#include "datastore/sqlite_log.h"

#include <doctest/doctest.h>
#include <sqlite3.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace koi::datastore {

namespace {

using base::Code;

struct Directory {
  Directory() {
    std::string pattern = (std::filesystem::temp_directory_path() / "koi-log-XXXXXX").string();
    REQUIRE(mkdtemp(pattern.data()) != nullptr);
    path = pattern;
  }
  ~Directory() { std::filesystem::remove_all(path); }
  base::Path path;
};

LogBatch sample_batch() {
  LogBatch batch;
  for (int i = 1; i <= 500; ++i) {
    LogRecord record{
        .revision = i, .created = i, .key = "/registry/core/configmaps/" + std::to_string(i)};
    record.object = std::make_shared<api::Object>("{\"text\":\"" + std::string(200, 'x') + "\"}");
    batch.records.push_back(std::move(record));
  }
  batch.reserved = 1000;
  return batch;
}

void write_sample(const base::Path& directory) {
  auto log = open_sqlite_log(directory, "");
  REQUIRE(log);
  REQUIRE((*log)->append(sample_batch()));
}

base::Result<RecoveredLog> recover(const base::Path& directory, int& rows) {
  auto log = open_sqlite_log(directory, "");
  if (!log) return base::fail(std::move(log).error());
  const auto count = [&rows](LogRecord&&) { ++rows; };
  return (*log)->recover(count, count);
}

}  // namespace

TEST_CASE("what was appended is recovered") {
  const Directory directory;
  write_sample(directory.path);
  int rows = 0;
  const auto recovered = recover(directory.path, rows);
  REQUIRE(recovered);
  CHECK(rows == 500);
  CHECK(recovered->reserved == 1000);
}

TEST_CASE("a second koi on the same directory is refused") {
  const Directory directory;
  auto first = open_sqlite_log(directory.path, "");
  REQUIRE(first);
  const auto second = open_sqlite_log(directory.path, "");
  REQUIRE_FALSE(second);
  CHECK(second.error().code == Code::unavailable);
  CHECK(second.error().message.find("another koi") != std::string::npos);
}

TEST_CASE("damage anywhere in the file is found and named, and nothing is changed") {
  const Directory directory;
  write_sample(directory.path);
  const base::Path file = directory.path / "state.db";
  const auto size = std::filesystem::file_size(file);
  REQUIRE(size > 16 * 4096);
  // Page 1 holds the header; every other page is damaged in turn.
  for (std::uintmax_t page = 1; page < size / 4096; page += 5) {
    CAPTURE(page);
    const base::Path copy = directory.path / "copy";
    std::filesystem::create_directories(copy);
    std::filesystem::copy_file(file, copy / "state.db",
                               std::filesystem::copy_options::overwrite_existing);
    {
      std::fstream stream(copy / "state.db", std::ios::in | std::ios::out | std::ios::binary);
      stream.seekp(static_cast<std::streamoff>(page * 4096 + 2000));
      stream.write("damage", 6);
    }
    int rows = 0;
    const auto recovered = recover(copy, rows);
    const bool harmless = recovered && rows == 500;
    const bool refused = !recovered && recovered.error().code == Code::corrupt;
    CHECK((harmless || refused));
    std::filesystem::remove_all(copy);
  }
}

TEST_CASE("what is no database and what a newer koi wrote are refused with advice") {
  const Directory directory;
  {
    std::ofstream(directory.path / "state.db") << std::string(8192, 'z');
    const auto opened = open_sqlite_log(directory.path, "");
    REQUIRE_FALSE(opened);
    CHECK(opened.error().code == Code::corrupt);
    CHECK(opened.error().message.find("restore a backup") != std::string::npos);
  }
  std::filesystem::remove(directory.path / "state.db");
  write_sample(directory.path);
  sqlite3* raw = nullptr;
  REQUIRE(sqlite3_open((directory.path / "state.db").c_str(), &raw) == SQLITE_OK);
  REQUIRE(sqlite3_exec(raw, "PRAGMA user_version=99", nullptr, nullptr, nullptr) == SQLITE_OK);
  sqlite3_close(raw);
  const auto opened = open_sqlite_log(directory.path, "");
  REQUIRE_FALSE(opened);
  CHECK(opened.error().code == Code::unsupported);
  CHECK(opened.error().message.find("newer koi") != std::string::npos);
}

TEST_CASE("a directory that cannot be written is refused") {
  const auto opened = open_sqlite_log("/proc", "");
  REQUIRE_FALSE(opened);
  CHECK(opened.error().code == Code::unavailable);
}

}  // namespace koi::datastore
