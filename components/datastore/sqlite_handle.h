#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/files.h"
#include "base/result.h"

struct sqlite3;
struct sqlite3_stmt;

// SQLite's handles with their errors as Results. Used by the datastore alone; one thread at a time.
namespace koi::datastore {

// A prepared statement. Bound text must live until finish().
class Statement {
 public:
  Statement() = default;
  explicit Statement(sqlite3_stmt* raw) : raw_(raw) {}

  void bind(int index, std::int64_t value);
  void bind(int index, std::string_view text);
  void bind_null(int index);

  // Moves to the next row; false at the end.
  base::Result<bool> step();
  // Runs to the end and makes the statement ready for new values.
  base::Result<> finish();

  std::int64_t integer(int column) const;
  std::string_view text(int column) const;  // until the next step
  bool is_null(int column) const;

 private:
  struct Finalize {
    void operator()(sqlite3_stmt* raw) const;
  };
  std::unique_ptr<sqlite3_stmt, Finalize> raw_;
};

// An open database.
class Database {
 public:
  static base::Result<Database> open(const base::Path& path, const std::string& vfs);

  base::Result<Statement> prepare(std::string_view sql);
  // Runs one or more statements, ignoring rows.
  base::Result<> execute(const std::string& sql);
  // The first column of the first row; 0 where there is none.
  base::Result<std::int64_t> integer(const std::string& sql);

  // Pages in the write-ahead log after the last commit.
  int wal_pages() const { return *wal_pages_; }
  // Copies the write-ahead log into the database and empties it.
  base::Result<> checkpoint();

 private:
  struct Close {
    void operator()(sqlite3* raw) const;
  };
  std::unique_ptr<int> wal_pages_ = std::make_unique<int>(0);
  std::unique_ptr<sqlite3, Close> raw_;
};

}  // namespace koi::datastore
