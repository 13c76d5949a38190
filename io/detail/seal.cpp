#include "io/detail/seal.hpp"

#include <fcntl.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <span>

#include "base/check.hpp"
#include "io/detail/digest.hpp"
#include "io/posix.hpp"
#include "parallel/agree.hpp"

namespace tenfold::detail {
namespace {

using Block = std::array<std::byte, seal_bytes>;

// Offsets in the block; what is not named is zero.
constexpr std::size_t schema_at = 8;
constexpr std::size_t leaf_at = 12;
constexpr std::size_t length_at = 16;
constexpr std::size_t digest_at = 24;  ///< all before it goes into the digest

constexpr std::array<char, 8> magic = {'T', 'E', 'N', 'F', 'O', 'L', 'D', '\n'};

template <class Integer>
void put(Block& block, std::size_t at, Integer value) {
  for (std::size_t i = 0; i < sizeof value; ++i) block[at + i] = static_cast<std::byte>(value >> (8 * i));
}

template <class Integer>
Integer get(const Block& block, std::size_t at) {
  Integer value = 0;
  for (std::size_t i = 0; i < sizeof value; ++i) value |= std::to_integer<Integer>(block[at + i]) << (8 * i);
  return value;
}

Block block_before_digest(std::uint32_t schema, std::uint64_t length) {
  Block block{};
  std::memcpy(block.data(), magic.data(), magic.size());
  put(block, schema_at, schema);
  put(block, leaf_at, static_cast<std::uint32_t>(leaf_bytes));
  put(block, length_at, length);
  return block;
}

/// The block that a file of this schema version and length should begin with.
Block sealed_block(const std::string& path, std::uint32_t schema, std::uint64_t length, int rotation,
                   MpiCommunicator& communicator) {
  Block block = block_before_digest(schema, length);
  const Hash digest = tree_hash(path, seal_bytes, length, std::span(block).first(digest_at), rotation, communicator);
  std::copy(digest.begin(), digest.end(), block.begin() + digest_at);
  return block;
}

/// What rank 0 reads is what all ranks judge by.
struct Beginning {
  Block block{};
  std::uint64_t length = 0;
};

Beginning read_beginning(const std::string& path, MpiCommunicator& communicator) {
  Beginning beginning;
  agree_on_root(communicator, [&] {
    const Descriptor file(path, O_RDONLY);
    beginning.length = file.length();
    file.forget_cache();
    file.read_at(std::span(beginning.block).first(std::min(beginning.length, seal_bytes)), 0);
  });
  communicator.broadcast(std::span(&beginning, 1));
  return beginning;
}

SealCheck compare(const std::string& path, MpiCommunicator& communicator) {
  const Beginning found = read_beginning(path, communicator);
  if (found.length <= seal_bytes) return {text("it has only ", found.length, " bytes")};
  if (std::memcmp(found.block.data(), magic.data(), magic.size()) != 0) return {"it does not begin with a seal"};
  const auto length = get<std::uint64_t>(found.block, length_at);
  if (length != found.length) return {text("it has ", found.length, " bytes, its seal says ", length)};
  const auto schema = get<std::uint32_t>(found.block, schema_at);
  constexpr int next_rank = 1;
  if (sealed_block(path, schema, length, next_rank, communicator) != found.block) {
    return {"its content does not match its digest"};
  }
  return {"", schema};
}

}  // namespace

void write_seal(const std::string& path, std::uint32_t schema, MpiCommunicator& communicator) {
  const Beginning unsealed = read_beginning(path, communicator);
  const Block block = sealed_block(path, schema, unsealed.length, 0, communicator);
  agree_on_root(communicator, [&] {
    Descriptor file(path, O_WRONLY);
    file.write_at(block, 0);
    file.sync();
  });
}

SealCheck check_seal(const std::string& path, MpiCommunicator& communicator) {
  try {
    return compare(path, communicator);
  } catch (const Error& error) {
    // Thrown by all ranks alike (agreed).
    return {error.what()};
  }
}

}  // namespace tenfold::detail
