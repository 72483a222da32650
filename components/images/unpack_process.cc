#include "images/unpack_process.h"

#include <unistd.h>

#include <charconv>

#include "images/compression.h"
#include "images/confinement.h"
#include "images/limits.h"
#include "images/tree_writer.h"
#include "linux/fd.h"

namespace koi::images {

namespace {

// A report is records that end in '\0': "opaque <path>", then one "ok <entries> <bytes> <devices>"
// or "error <code> <message>".
constexpr char record_end = '\0';

void write_error(int report, const base::Error& error) {
  std::string text = "error " + std::to_string(static_cast<int>(error.code)) + " ";
  text += error.message.substr(0, 4096);
  text += record_end;
  (void)linux::write_all(report, text);
}

void write_success(int report, const UntarReport& done) {
  std::string text;
  for (const std::string& path : done.opaque_directories) {
    text += "opaque " + path + record_end;
  }
  text += "ok " + std::to_string(done.entries) + " " + std::to_string(done.bytes) + " " +
          std::to_string(done.devices_skipped) + record_end;
  (void)linux::write_all(report, text);
}

bool read_number(std::string_view& text, std::uint64_t& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{}) return false;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  if (text.starts_with(' ')) text.remove_prefix(1);
  return true;
}

std::unexpected<base::Error> bad_report() {
  return base::fail(base::Code::internal, "the unpacking process ended without a report");
}

base::Result<> read_record(std::string_view record, UntarReport& report, bool& complete) {
  if (complete) return bad_report();
  if (record.starts_with("opaque ")) {
    auto path = clean_path(record.substr(7));
    if (!path) return base::fail(std::move(path).error());
    report.opaque_directories.push_back(std::move(*path));
    return {};
  }
  if (record.starts_with("ok ")) {
    record.remove_prefix(3);
    complete = read_number(record, report.entries) && read_number(record, report.bytes) &&
               read_number(record, report.devices_skipped) && record.empty();
    return complete ? base::Result<>{} : bad_report();
  }
  if (record.starts_with("error ")) {
    record.remove_prefix(6);
    std::uint64_t code = 0;
    if (!read_number(record, code) || code > static_cast<int>(base::Code::unsupported)) {
      return bad_report();
    }
    return base::fail(static_cast<base::Code>(code), std::string(record.substr(0, 4096)));
  }
  return bad_report();
}

bool options_from(std::span<const std::string> arguments, UntarOptions& options) {
  if (arguments.size() != 3) return false;
  if (arguments[0] != "layer" && arguments[0] != "archive") return false;
  options.kind = arguments[0] == "layer" ? TreeKind::layer : TreeKind::archive;
  options.keep_ownership = ::geteuid() == 0;
  std::string_view entries = arguments[1];
  std::string_view bytes = arguments[2];
  return read_number(entries, options.entries_max) && read_number(bytes, options.bytes_max);
}

}  // namespace

std::vector<std::string> tree_arguments(const UntarOptions& options) {
  return {"tree", options.kind == TreeKind::layer ? "layer" : "archive",
          std::to_string(options.entries_max), std::to_string(options.bytes_max)};
}

void run_decompress_stage(int source, int target, int report) {
  if (auto done = decompress(source, target); !done) return write_error(report, done.error());
  write_success(report, {});
}

void run_tree_stage(int source, int directory, int report, const UntarOptions& options) {
  auto done = untar(source, directory, options);
  if (!done) return write_error(report, done.error());
  write_success(report, *done);
}

int run_unpack_process(std::span<const std::string> arguments) {
  UntarOptions options;
  const bool decompresses = arguments.size() == 1 && arguments[0] == "decompress";
  const bool fills =
      !arguments.empty() && arguments[0] == "tree" && options_from(arguments.subspan(1), options);
  if (!decompresses && !fills) {
    (void)linux::write_all(STDERR_FILENO, "unpack-layer is started by koi itself\n");
    return 2;
  }
  const auto confined = decompresses ? confine_decompressor() : confine_tree_writer();
  if (!confined) {
    write_error(report_descriptor, base::Error(confined.error()).during("confine"));
    return 1;
  }
  if (decompresses) {
    run_decompress_stage(STDIN_FILENO, STDOUT_FILENO, report_descriptor);
  } else {
    run_tree_stage(STDIN_FILENO, directory_descriptor, report_descriptor, options);
  }
  return 0;
}

base::Result<UntarReport> read_report(int report) {
  auto text = linux::read_all(report, limits::report_bytes_max);
  if (!text) return base::fail(std::move(text).error().during("read report of unpacking process"));
  UntarReport result;
  bool complete = false;
  std::string_view rest = *text;
  while (!rest.empty()) {
    const std::size_t end = rest.find(record_end);
    if (end == std::string_view::npos) return bad_report();
    if (auto read = read_record(rest.substr(0, end), result, complete); !read) {
      return base::fail(std::move(read).error());
    }
    rest.remove_prefix(end + 1);
  }
  if (!complete) return bad_report();
  return result;
}

}  // namespace koi::images
