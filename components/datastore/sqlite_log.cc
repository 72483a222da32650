#include "datastore/sqlite_log.h"

#include <sqlite3.h>

#include <algorithm>
#include <array>

#include "datastore/sqlite_handle.h"

namespace koi::datastore {

namespace {

using base::Code;
using base::Result;

constexpr int application_id = 0x6b6f6931;
constexpr int format_version = 1;
// A checkpoint copies the write-ahead log back once it holds this many pages of 4 KiB.
constexpr int checkpoint_pages = 1'000;
constexpr std::size_t compaction_rows_per_transaction = 2'000;

// FNV-1a over key and value: finds damage, not malice.
std::int64_t checksum(std::string_view key, std::string_view value) {
  std::uint64_t hash = 0xcbf29ce484222325ULL;
  for (const std::string_view part : {key, value}) {
    for (const char c : part) {
      hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
    }
    hash = (hash ^ 0xff) * 0x100000001b3ULL;
  }
  return static_cast<std::int64_t>(hash);
}

class SqliteLog final : public RevisionLog {
 public:
  explicit SqliteLog(Database database) : database_(std::move(database)) {}

  Result<> prepare() {
    const std::array<std::pair<Statement*, const char*>, 7> statements{{
        {&insert_, "INSERT INTO log(rev,created,key,val,sum) VALUES(?1,?2,?3,?4,?5)"},
        {&put_lazy_, "INSERT OR REPLACE INTO lazy(key,rev,created,val,sum) VALUES(?3,?1,?2,?4,?5)"},
        {&drop_lazy_, "DELETE FROM lazy WHERE key=?1"},
        {&set_meta_, "INSERT OR REPLACE INTO meta(name,value) VALUES(?1,?2)"},
        {&forget_, "DELETE FROM log WHERE rev=?1"},
        {&begin_, "BEGIN IMMEDIATE"},
        {&end_, "COMMIT"},
    }};
    for (const auto& [statement, sql] : statements) {
      auto made = database_.prepare(sql);
      if (!made) return base::fail(std::move(made).error());
      *statement = std::move(*made);
    }
    return {};
  }

  Result<RecoveredLog> recover(const std::function<void(LogRecord&&)>& history,
                               const std::function<void(LogRecord&&)>& lazy) override {
    RecoveredLog recovered;
    auto read = read_rows("SELECT rev,created,key,val,sum FROM log ORDER BY rev", history);
    if (read) read = read_rows("SELECT rev,created,key,val,sum FROM lazy ORDER BY rev", lazy);
    if (read) read = read_meta("reserved", recovered.reserved);
    if (read) read = read_meta("compacted", recovered.compacted);
    if (!read) return base::fail(std::move(read).error());
    return recovered;
  }

  Result<> append(const LogBatch& batch) override {
    return transaction([&]() -> Result<> {
      for (const LogRecord& record : batch.records) {
        if (auto done = write(insert_, record); !done) return done;
      }
      for (const LogRecord& record : batch.lazy) {
        auto done = record.object ? write(put_lazy_, record) : run(drop_lazy_, record.key);
        if (!done) return done;
      }
      if (batch.reserved == 0) return {};
      return write_meta("reserved", batch.reserved);
    });
  }

  Result<> compact(Revision compacted, std::span<const Revision> superseded) override {
    // The mark goes first: history that is half gone must not be offered after a crash.
    auto marked = transaction([&] { return write_meta("compacted", compacted); });
    if (!marked) return marked;
    while (!superseded.empty()) {
      const auto chunk =
          superseded.first(std::min(superseded.size(), compaction_rows_per_transaction));
      auto done = transaction([&]() -> Result<> {
        for (const Revision revision : chunk) {
          forget_.bind(1, revision);
          if (auto stepped = forget_.finish(); !stepped) return stepped;
        }
        return {};
      });
      if (!done) return done;
      superseded = superseded.subspan(chunk.size());
    }
    if (auto vacuumed = database_.execute("PRAGMA incremental_vacuum"); !vacuumed) return vacuumed;
    return checkpoint();
  }

  Result<LogSize> size() override {
    LogSize size;
    auto pages = database_.integer("PRAGMA page_count");
    auto page_bytes = database_.integer("PRAGMA page_size");
    auto history = database_.integer("SELECT total(length(key)+length(val)) FROM log");
    if (!pages || !page_bytes || !history) return base::fail(Code::internal, "read database size");
    size.file_bytes = static_cast<std::uint64_t>(*pages * *page_bytes);
    size.history_bytes = static_cast<std::uint64_t>(*history);
    return size;
  }

 private:
  template <class Body>
  Result<> transaction(Body body) {
    auto done = begin_.finish();
    if (!done) return done;
    done = body();
    if (done) done = end_.finish();
    if (!done) {
      // Where the failure already ended the transaction, there is nothing left to roll back.
      static_cast<void>(database_.execute("ROLLBACK"));
      return done;
    }
    if (++commits_since_checkpoint_ >= 64) {
      commits_since_checkpoint_ = 0;
      return checkpoint_if_long();
    }
    return {};
  }

  Result<> checkpoint_if_long() {
    return database_.wal_pages() >= checkpoint_pages ? checkpoint() : Result<>{};
  }

  Result<> checkpoint() { return database_.checkpoint(); }

  static Result<> run(Statement& statement, const std::string& key) {
    statement.bind(1, key);
    return statement.finish();
  }

  static Result<> write(Statement& statement, const LogRecord& record) {
    statement.bind(1, record.revision);
    statement.bind(2, record.created);
    statement.bind(3, record.key);
    if (record.object) {
      const std::string& bytes = record.object->bytes();
      statement.bind(4, bytes);
      statement.bind(5, checksum(record.key, bytes));
    } else {
      statement.bind_null(4);
      statement.bind(5, checksum(record.key, ""));
    }
    return statement.finish();
  }

  Result<> write_meta(const std::string& name, Revision value) {
    set_meta_.bind(1, name);
    set_meta_.bind(2, value);
    return set_meta_.finish();
  }

  Result<> read_meta(const std::string& name, Revision& value) {
    auto read = database_.integer("SELECT value FROM meta WHERE name='" + name + "'");
    if (!read) return base::fail(std::move(read).error());
    value = *read;
    return {};
  }

  Result<> read_rows(const char* sql, const std::function<void(LogRecord&&)>& sink) {
    auto rows = database_.prepare(sql);
    if (!rows) return base::fail(std::move(rows).error());
    for (;;) {
      auto more = rows->step();
      if (!more) return base::fail(std::move(more).error());
      if (!*more) return {};
      LogRecord record{.revision = rows->integer(0), .created = rows->integer(1)};
      record.key = rows->text(2);
      const std::string_view value = rows->text(3);
      if (checksum(record.key, value) != rows->integer(4)) {
        return base::fail(Code::corrupt, "the row of '" + record.key + "' at revision " +
                                             std::to_string(record.revision) +
                                             " does not match its checksum");
      }
      if (!rows->is_null(3)) record.object = std::make_shared<api::Object>(std::string(value));
      sink(std::move(record));
    }
  }

  Database database_;
  Statement insert_, put_lazy_, drop_lazy_, set_meta_, forget_, begin_, end_;
  int commits_since_checkpoint_ = 0;
};

Result<> check_format(Database& database) {
  auto id = database.integer("PRAGMA application_id");
  auto version = database.integer("PRAGMA user_version");
  auto tables = database.integer("SELECT count(*) FROM sqlite_master");
  if (!id) return base::fail(std::move(id).error());
  if (!version) return base::fail(std::move(version).error());
  if (!tables) return base::fail(std::move(tables).error());
  if (*tables == 0 && *id == 0) return {};
  if (*id != application_id) {
    return base::fail(Code::corrupt, "the file is a database, but not one of koi's");
  }
  if (*version > format_version) {
    return base::fail(Code::unsupported,
                      "a newer koi wrote it (format " + std::to_string(*version) +
                          ", this one reads up to " + std::to_string(format_version) +
                          "); run the newer koi, or restore a backup made by this one");
  }
  return {};
}

Result<> set_up(Database& database) {
  for (const char* sql :
       {"PRAGMA locking_mode=EXCLUSIVE", "PRAGMA auto_vacuum=INCREMENTAL",
        "PRAGMA journal_mode=WAL", "PRAGMA synchronous=FULL", "PRAGMA wal_autocheckpoint=0",
        "PRAGMA journal_size_limit=4194304", "PRAGMA cache_size=-1024", "PRAGMA cell_size_check=ON",
        "PRAGMA trusted_schema=OFF"}) {
    if (auto done = database.execute(sql); !done) return done;
  }
  if (auto checked = check_format(database); !checked) return checked;
  return database.execute(
      "BEGIN IMMEDIATE;"
      "CREATE TABLE IF NOT EXISTS log(rev INTEGER PRIMARY KEY, created INTEGER NOT NULL,"
      " key TEXT NOT NULL, val BLOB, sum INTEGER NOT NULL);"
      "CREATE TABLE IF NOT EXISTS lazy(key TEXT PRIMARY KEY, rev INTEGER NOT NULL,"
      " created INTEGER NOT NULL, val BLOB, sum INTEGER NOT NULL) WITHOUT ROWID;"
      "CREATE TABLE IF NOT EXISTS meta(name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT "
      "ROWID;"
      "PRAGMA application_id=" +
      std::to_string(application_id) +
      ";"
      "PRAGMA user_version=" +
      std::to_string(format_version) +
      ";"
      "COMMIT;");
}

base::Error advise(base::Error error, const base::Path& path) {
  if (error.code == Code::corrupt) {
    error.message +=
        "; nothing was changed: restore a backup of the file, or move it away to start an empty "
        "cluster";
  }
  return std::move(error).during("open datastore '" + path.string() + "'");
}

}  // namespace

Result<std::unique_ptr<RevisionLog>> open_sqlite_log(const base::Path& directory,
                                                     const std::string& vfs) {
  const base::Path path = directory / "state.db";
  auto database = Database::open(path, vfs);
  if (!database) return base::fail(advise(std::move(database).error(), path));
  if (auto done = set_up(*database); !done) {
    return base::fail(advise(std::move(done).error(), path));
  }
  auto log = std::make_unique<SqliteLog>(std::move(*database));
  if (auto done = log->prepare(); !done) return base::fail(advise(std::move(done).error(), path));
  return log;
}

}  // namespace koi::datastore
