#include "preparation/text_file.hpp"

#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "base/check.hpp"

namespace tenfold {

namespace {
constexpr unsigned stream_buffer = 256U << 10U;
}

void TextFile::Closer::operator()(gzFile_s* file) const {
  gzclose_r(file);  // nothing was written; every read was checked
}

TextFile::TextFile(const std::string& path) : path_(path) {
  std::error_code status;
  const auto kind = std::filesystem::status(path, status).type();
  if (kind == std::filesystem::file_type::not_found)
    throw InputError(text("corpus.text: ", path, " does not exist; check the path"));
  if (kind == std::filesystem::file_type::directory)
    throw InputError(text("corpus.text: ", path, " is a folder; name its text files one by one"));
  if (status) throw InputError(text("corpus.text: ", path, " cannot be read: ", status.message()));
  if (kind != std::filesystem::file_type::regular)
    throw InputError(
        text("corpus.text: ", path, " is no regular file; text is read more than once, so write it to one"));
  file_.reset(gzopen(path.c_str(), "rb"));
  if (!file_) throw InputError(text("corpus.text: ", path, " cannot be read: ", std::strerror(errno)));
  TENFOLD_VERIFY(gzbuffer(file_.get(), stream_buffer) == 0, "no buffer for ", path);
  // Looks at the first bytes, after which zlib seeks in a plain file instead of reading on.
  gzdirect(file_.get());
}

void TextFile::fail(int code) const {
  if (code == Z_ERRNO) throw InputError(text("corpus.text: ", path_, " cannot be read: ", std::strerror(errno)));
  const char* what = code == Z_BUF_ERROR ? " ends in the middle of its gzip stream" : " has a damaged gzip stream";
  throw InputError(text("corpus.text: ", path_, what, "; fetch or compress it again (gzip -t tells)"));
}

void TextFile::seek(std::int64_t offset) {
  if (gzseek64(file_.get(), offset, SEEK_SET) == offset) return;
  int code = Z_OK;
  gzerror(file_.get(), &code);
  fail(code);
}

std::size_t TextFile::read(std::span<char> bytes) {
  std::size_t done = 0;
  while (done < bytes.size()) {
    const auto wanted = static_cast<unsigned>(std::min<std::size_t>(bytes.size() - done, 1U << 30U));
    const int got = gzread(file_.get(), bytes.data() + done, wanted);
    int code = Z_OK;
    gzerror(file_.get(), &code);
    if (got < 0 || (code != Z_OK && code != Z_STREAM_END)) fail(code);
    if (got == 0) break;
    done += static_cast<std::size_t>(got);
  }
  return done;
}

}  // namespace tenfold
