#include "io/trace.hpp"

#include <fcntl.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <numeric>

#include "base/check.hpp"
#include "io/posix.hpp"
#include "io/schema.hpp"

namespace tenfold {

namespace {

constexpr std::int64_t trace_schema = 1;
/// 4 KiB a column: small enough that flushing a row now and then writes little.
constexpr hdf5::Size rows_a_chunk = 512;

template <class T>
std::vector<T> old_rows(const TraceReader& old, const std::string& table, const std::string& column, std::size_t rows,
                        T missing) {
  const std::vector<std::string> known = old.columns(table);
  if (std::find(known.begin(), known.end(), column) == known.end()) return std::vector<T>(rows, missing);
  std::vector<T> values = old.column<T>(table, column);
  values.resize(rows);
  return values;
}

void expect_no_lost_columns(const TraceReader& old, const std::string& path, const TraceTable& table) {
  for (const std::string& name : old.columns(table.name)) {
    const bool kept = std::any_of(table.columns.begin(), table.columns.end(),
                                  [&](const TraceColumn& column) { return column.name == name; });
    if (!kept) {
      throw InputError(
          text(path, ": this run does not write the column /", table.name, "/", name, " that the trace has"));
    }
  }
}

}  // namespace

TraceWriter::TraceWriter(const std::string& path, const std::vector<TraceTable>& tables, const TraceHeader& header,
                         std::optional<std::int64_t> resume_step, std::size_t flush_every)
    : file_(hdf5::File::create(path + detail::unfinished, {.swmr = true})), flush_every_(flush_every) {
  write_schema(file_, "trace", trace_schema);
  write_header(header);
  for (const TraceTable& table : tables) {
    TENFOLD_VERIFY(!table.columns.empty() && table.columns[0].name == "step" && table.columns[0].type == DType::i64,
                   "the first column of ", table.name, " must be step");
    Table& made = tables_.emplace_back();
    made.name = table.name;
    for (const TraceColumn& column : table.columns) {
      const hdf5::Layout layout = {.chunk = {rows_a_chunk}, .extendible = true};
      made.columns.push_back(
          {column.type,
           file_.create_dataset(table.name + "/" + column.name, hdf5::native_type(column.type), {0}, layout),
           {},
           {}});
      made.columns.back().integers.reserve(column.type == DType::i64 ? flush_every : 0);
      made.columns.back().reals.reserve(column.type == DType::f64 ? flush_every : 0);
    }
  }
  if (resume_step && std::filesystem::exists(path)) {
    try {
      take_over(path, *resume_step, tables);
    } catch (const Error& error) {
      throw InputError(text(error.what(), "; move ", path, " away to resume without its rows"));
    }
    for (Table& table : tables_) write_rows(table);
  }
  file_.flush();
  file_.start_swmr();
  detail::Descriptor(path + detail::unfinished, O_RDONLY).sync();
  detail::rename_file(path + detail::unfinished, path);
}

void TraceWriter::write_header(const TraceHeader& header) {
  for (const auto& [name, value] : header.texts) file_.write_text(name, value);
  for (const auto& [name, values] : header.lists) file_.write_texts(name, values);
  for (const auto& [name, value] : header.integers) file_.set_attribute(name, value);
}

void TraceWriter::take_over(const std::string& path, std::int64_t last_step, const std::vector<TraceTable>& tables) {
  const TraceReader old(path);
  const std::vector<std::string> known = old.tables();
  for (std::size_t i = 0; i < tables.size(); ++i) {
    const std::string& name = tables[i].name;
    if (std::find(known.begin(), known.end(), name) == known.end()) continue;
    expect_no_lost_columns(old, path, tables[i]);
    const auto steps = old.column<std::int64_t>(name, "step");
    const auto rows = static_cast<std::size_t>(std::upper_bound(steps.begin(), steps.end(), last_step) - steps.begin());
    for (std::size_t k = 0; k < tables[i].columns.size(); ++k) {
      Column& column = tables_[i].columns[k];
      const std::string& title = tables[i].columns[k].name;
      if (column.type == DType::i64) column.integers = old_rows(old, name, title, rows, missing_integer);
      if (column.type == DType::f64) column.reals = old_rows(old, name, title, rows, missing_real);
    }
    tables_[i].waiting = rows;
  }
}

void TraceWriter::append(std::string_view name, std::span<const TraceValue> row) {
  const auto table = std::find_if(tables_.begin(), tables_.end(), [&](const Table& each) { return each.name == name; });
  TENFOLD_VERIFY(table != tables_.end(), "the trace has no table ", name);
  TENFOLD_VERIFY(row.size() == table->columns.size(), "a row of ", row.size(), " values for the ",
                 table->columns.size(), " columns of ", name);
  for (std::size_t i = 0; i < row.size(); ++i) {
    Column& column = table->columns[i];
    TENFOLD_VERIFY(std::holds_alternative<double>(row[i]) == (column.type == DType::f64), "value ", i, " of a row of ",
                   name, " is not of the type of its column");
    if (column.type == DType::f64) {
      column.reals.push_back(std::get<double>(row[i]));
    } else {
      column.integers.push_back(std::get<std::int64_t>(row[i]));
    }
  }
  if (++table->waiting >= flush_every_) write_rows(*table);
}

void TraceWriter::write_rows(Table& table) {
  if (table.waiting == 0) return;
  for (Column& column : table.columns) {
    column.dataset.resize(table.written + table.waiting);
    if (column.type == DType::f64) {
      column.dataset.write<double>(column.reals, table.written);
    } else {
      column.dataset.write<std::int64_t>(column.integers, table.written);
    }
    column.dataset.flush();
    column.integers.clear();
    column.reals.clear();
  }
  table.written += std::exchange(table.waiting, 0);
}

void TraceWriter::flush() {
  for (Table& table : tables_) write_rows(table);
}

void TraceWriter::close() {
  if (!std::exchange(open_, false)) return;
  flush();
  tables_.clear();
  file_.close();
}

TraceWriter::~TraceWriter() {
  try {
    close();
  } catch (const Error&) {
    // Rows that cannot be written are lost either way; who needs to know calls close().
    tables_.clear();
  }
}

TraceReader::TraceReader(const std::string& path) : file_(hdf5::File::open(path, hdf5::Access::swmr_read)) {
  expect_schema(file_, "trace", trace_schema);
}

std::vector<std::string> TraceReader::tables() const {
  std::vector<std::string> found = file_.names();
  std::erase_if(found, [&](const std::string& name) { return !file_.is_group(name); });
  return found;
}

std::vector<std::string> TraceReader::columns(const std::string& table) const {
  return file_.open_group(table).names();
}

std::size_t TraceReader::rows(const std::string& table) const {
  std::size_t shortest = std::numeric_limits<std::size_t>::max();
  for (const std::string& name : columns(table)) {
    shortest = std::min<std::size_t>(shortest, file_.dataset(table + "/" + name).extents().at(0));
  }
  return shortest;
}

namespace {

nlohmann::ordered_json number(double value) {
  if (value == std::floor(value) && std::abs(value) < 0x1p53) return static_cast<std::int64_t>(value);
  return value;
}

}  // namespace

nlohmann::ordered_json TraceReader::describe() const {
  nlohmann::ordered_json facts = {
      {"kind", "trace"}, {"version", text("version")}, {"seed", integer("seed")}, {"hosts", list("hosts")}};
  for (const std::string& table : tables()) {
    nlohmann::ordered_json& described = facts[table] = {{"columns", columns(table)}, {"rows", rows(table)}};
    for (const std::string& name : columns(table)) {
      const auto values = column<double>(table, name);
      if (!values.empty()) described["last_row"][name] = number(values.back());
      if (name == "seconds") described["seconds_in_steps"] = std::accumulate(values.begin(), values.end(), 0.0);
    }
  }
  facts["configuration"] = text("configuration");
  return facts;
}

}  // namespace tenfold
