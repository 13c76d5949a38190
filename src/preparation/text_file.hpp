#pragma once
// A plain or gzipped text file as one stream of bytes.

#include <cstdint>
#include <cstdio>
#include <memory>
#include <span>
#include <string>

namespace tenfold {

class TextFile {
 public:
  /// InputError, naming the file and how to mend it, when it is missing, a folder or unreadable.
  explicit TextFile(const std::string& path);
  ~TextFile();

  /// Bytes on the disk, and how many of them were read since the last seek to the beginning.
  std::int64_t size() const { return size_; }
  std::int64_t consumed() const;

  /// Whether it is gzipped: it can be read only from its beginning on.
  bool gzipped() const { return inflater_ != nullptr; }

  /// Goes to a byte of the text; of a gzipped file only to 0.
  void seek(std::int64_t offset);

  /// The next bytes, as many as fit and at most 1 GiB; 0 at the end. InputError when a gzip stream is damaged, ends too
  /// early or is followed by anything but another.
  std::size_t read(std::span<char> bytes);

 private:
  struct Closer {
    void operator()(std::FILE* file) const;
  };
  struct Inflater;

  std::size_t read_file(std::span<char> bytes);
  std::size_t inflate(std::span<char> bytes);
  [[noreturn]] void fail(const std::string& what) const;

  std::string path_;
  std::int64_t size_;
  std::unique_ptr<std::FILE, Closer> file_;
  std::unique_ptr<Inflater> inflater_;  ///< null: plain
};

}  // namespace tenfold
