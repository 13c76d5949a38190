#pragma once
// A plain or gzipped text file as one stream of bytes.

#include <cstdint>
#include <memory>
#include <span>
#include <string>

struct gzFile_s;

namespace tenfold {

class TextFile {
 public:
  /// InputError, naming the file and how to mend it, when it is missing, a folder or unreadable.
  explicit TextFile(const std::string& path);

  const std::string& path() const { return path_; }

  /// Goes to a byte of the (uncompressed) text: at once in a plain file, by reading on in a gzipped one.
  void seek(std::int64_t offset);

  /// The next bytes, as many as fit; 0 at the end. InputError when the gzip stream is damaged or ends too early.
  std::size_t read(std::span<char> bytes);

 private:
  struct Closer {
    void operator()(gzFile_s* file) const;
  };
  [[noreturn]] void fail(int code) const;

  std::string path_;
  std::unique_ptr<gzFile_s, Closer> file_;
};

}  // namespace tenfold
