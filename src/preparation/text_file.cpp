#include "preparation/text_file.hpp"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <vector>

#include "base/check.hpp"

namespace tenfold {

struct TextFile::Inflater {
  Inflater() { TENFOLD_VERIFY(inflateInit2(&stream, gzip_only) == Z_OK, "zlib cannot start"); }
  ~Inflater() { inflateEnd(&stream); }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;

  void restart() {
    TENFOLD_VERIFY(inflateReset(&stream) == Z_OK, "zlib cannot start again");
    stream.avail_in = 0;
    in_member = false;
  }

  static constexpr int gzip_only = 16 + MAX_WBITS;
  z_stream stream{};
  std::vector<char> input = std::vector<char>(std::size_t{256} << 10U);
  bool in_member = false;
};

void TextFile::Closer::operator()(std::FILE* file) const {
  std::fclose(file);  // nothing was written; every read was checked
}

TextFile::TextFile(const std::string& path) : path_(path), size_(0) {
  std::error_code status;
  const auto kind = std::filesystem::status(path, status).type();
  if (kind == std::filesystem::file_type::not_found)
    throw InputError(text("corpus.text: ", path, " does not exist; check the path"));
  if (kind == std::filesystem::file_type::directory)
    throw InputError(text("corpus.text: ", path, " is a folder; name its text files one by one"));
  if (status) fail(text(" cannot be read: ", status.message()));
  if (kind != std::filesystem::file_type::regular)
    fail(" is no regular file; text is read more than once, so write it to one");
  file_.reset(std::fopen(path.c_str(), "rb"));
  if (!file_) fail(text(" cannot be read: ", std::strerror(errno)));
  size_ = static_cast<std::int64_t>(std::filesystem::file_size(path));
  constexpr std::array<char, 2> gzip_magic = {'\x1f', '\x8b'};
  std::array<char, 2> first{};
  if (read_file(first) == first.size() && first == gzip_magic) inflater_ = std::make_unique<Inflater>();
  seek(0);
}

TextFile::~TextFile() = default;

void TextFile::fail(const std::string& what) const {
  throw InputError(text("corpus.text: ", path_, what));
}

std::int64_t TextFile::consumed() const {
  return ftello(file_.get());
}

void TextFile::seek(std::int64_t offset) {
  TENFOLD_VERIFY(!inflater_ || offset == 0, path_, " is gzipped and cannot be read from byte ", offset);
  if (fseeko(file_.get(), offset, SEEK_SET) != 0) fail(text(" cannot be read: ", std::strerror(errno)));
  if (inflater_) inflater_->restart();
}

std::size_t TextFile::read(std::span<char> bytes) {
  return inflater_ ? inflate(bytes) : read_file(bytes);
}

std::size_t TextFile::read_file(std::span<char> bytes) {
  const std::size_t done = std::fread(bytes.data(), 1, bytes.size(), file_.get());
  if (done < bytes.size() && std::ferror(file_.get()) != 0) fail(text(" cannot be read: ", std::strerror(errno)));
  return done;
}

std::size_t TextFile::inflate(std::span<char> bytes) {
  bytes = bytes.first(std::min<std::size_t>(bytes.size(), 1U << 30U));  // zlib counts in 32 bits
  z_stream& stream = inflater_->stream;
  stream.next_out = reinterpret_cast<Bytef*>(bytes.data());
  stream.avail_out = static_cast<uInt>(bytes.size());
  while (stream.avail_out > 0) {
    if (stream.avail_in == 0) {
      stream.next_in = reinterpret_cast<Bytef*>(inflater_->input.data());
      stream.avail_in = static_cast<uInt>(read_file(inflater_->input));
      if (stream.avail_in == 0 && !inflater_->in_member) break;
      if (stream.avail_in == 0)
        fail(" ends in the middle of its gzip stream; fetch or compress it again (gzip -t tells)");
    }
    inflater_->in_member = true;
    const int code = ::inflate(&stream, Z_NO_FLUSH);
    if (code == Z_STREAM_END) {
      inflater_->in_member = false;
      TENFOLD_VERIFY(inflateReset(&stream) == Z_OK, "zlib cannot start again");
    } else if (code != Z_OK) {
      fail(" has a damaged gzip stream, or something after it that is none (padding, too); fetch or compress it again");
    }
  }
  return bytes.size() - stream.avail_out;
}

}  // namespace tenfold
