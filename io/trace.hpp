#pragma once
// trace.h5: what a run measured, as one-dimensional data sets of equal length under a group a table (/train,
// /validation). Rank 0 alone writes it, with the serial driver in SWMR mode: anyone may open it with swmr=True while
// the run goes on, and takes the shortest column of a table as its length. After a clean end it is a plain HDF5 file.

#include <cstdint>
#include <limits>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/tensor.hpp"
#include "io/hdf5.hpp"

namespace tenfold {

struct TraceColumn {
  std::string name;
  DType type;  ///< i64 or f64
};

/// The first column is `step` (i64), which never falls from row to row.
struct TraceTable {
  std::string name;
  std::vector<TraceColumn> columns;
};

using TraceValue = std::variant<std::int64_t, double>;

/// What stands beside the tables: texts and lists of texts as data sets at the root, numbers as attributes.
struct TraceHeader {
  std::map<std::string, std::string> texts;               ///< configuration, version
  std::map<std::string, std::vector<std::string>> lists;  ///< hosts
  std::map<std::string, std::int64_t> integers;           ///< seed
};

/// A column that the trace before a resume did not have is filled with these.
constexpr double missing_real = std::numeric_limits<double>::quiet_NaN();
constexpr std::int64_t missing_integer = -1;

class TraceWriter {
 public:
  /// A new trace at `path`. With `resume_step`, the rows up to that step of the trace that is there now (also of one
  /// whose writer was killed) are taken over. The new file replaces the old one only when it is complete. InputError if
  /// there is an old trace that cannot be read or has a column that `tables` lack.
  /// Rows reach readers once `flush_every` of them have gathered in a table.
  TraceWriter(const std::string& path, const std::vector<TraceTable>& tables, const TraceHeader& header,
              std::optional<std::int64_t> resume_step = {}, std::size_t flush_every = 1);

  /// One value a column, in the order and of the types of the table's columns. Allocates nothing until rows are
  /// flushed.
  void append(std::string_view table, std::span<const TraceValue> row);
  /// Makes all rows visible to readers; to be called before a checkpoint is saved, so that a resume finds its rows.
  void flush();
  /// Flushes and leaves a plain file. The destructor does the same but cannot report errors.
  void close();
  ~TraceWriter();
  TraceWriter(const TraceWriter&) = delete;
  TraceWriter& operator=(const TraceWriter&) = delete;

 private:
  struct Column {
    DType type;
    hdf5::Dataset dataset;
    std::vector<std::int64_t> integers;  ///< rows not written yet, in the one of the two that has the type
    std::vector<double> reals;
  };
  struct Table {
    std::string name;
    std::vector<Column> columns;
    std::size_t waiting = 0;  ///< rows not written yet
    hdf5::Size written = 0;
  };
  void write_header(const TraceHeader& header);
  void take_over(const std::string& path, std::int64_t last_step, const std::vector<TraceTable>& tables);
  void write_rows(Table& table);

  hdf5::File file_;
  std::vector<Table> tables_;
  std::size_t flush_every_;
  bool open_ = true;
};

/// A trace, be it complete, being written, or left behind by a killed run.
class TraceReader {
 public:
  /// InputError if the file is missing, no trace, or of a newer version.
  explicit TraceReader(const std::string& path);

  std::vector<std::string> tables() const;
  std::vector<std::string> columns(const std::string& table) const;
  /// Length of the table's shortest column.
  std::size_t rows(const std::string& table) const;
  /// The first rows(table) values, as T (std::int64_t or double).
  template <class T>
  std::vector<T> column(const std::string& table, const std::string& name) const {
    std::vector<T> values(rows(table));
    file_.dataset(table + "/" + name).read(std::span<T>(values));
    return values;
  }
  std::string text(const std::string& name) const { return file_.read_text(name); }
  std::vector<std::string> list(const std::string& name) const { return file_.read_texts(name); }
  std::int64_t integer(const std::string& name) const { return file_.integer_attribute(name); }

  /// Columns, rows and the last values of each table; `configuration` as INI text.
  nlohmann::ordered_json describe() const;

 private:
  hdf5::File file_;
};

}  // namespace tenfold
