#pragma once
// TCP over IPv4 for the watchdog's thread: no call here waits.

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace tenfold::detail {

/// Addresses of this host's interfaces in network order, loopback left out.
std::vector<std::uint32_t> own_addresses();

class Socket {
 public:
  enum class Outcome { done, not_now, broken };

  Socket() = default;
  ~Socket();
  Socket(Socket&& other) noexcept;
  Socket& operator=(Socket&& other) noexcept;

  /// Takes connections on a free port of all interfaces. Error when the system gives none.
  static Socket listening();
  /// Begins to connect; what is sent before there is a connection is `not_now`.
  static Socket connecting(std::uint32_t address, std::uint16_t port);
  /// The next that has come to a listening socket; closed if none has.
  Socket accept() const;

  bool is_open() const { return descriptor_ >= 0; }
  std::uint16_t port() const;
  /// All bytes or none: a buffer that holds but a part belongs to a peer that is gone.
  Outcome send(std::span<const std::byte> bytes) const;
  /// Fills up `bytes` from `filled` on; done when it is full.
  Outcome receive(std::span<std::byte> bytes, std::size_t& filled) const;

 private:
  explicit Socket(int descriptor) : descriptor_(descriptor) {}

  int descriptor_ = -1;
};

}  // namespace tenfold::detail
