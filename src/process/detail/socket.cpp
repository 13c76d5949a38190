#include "process/detail/socket.hpp"

#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "process/detail/system.hpp"

namespace tenfold::detail {

namespace {

constexpr int flags = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC;

sockaddr* general(sockaddr_in& address) {
  return reinterpret_cast<sockaddr*>(&address);
}

bool is_later(int failure) {
  return failure == EAGAIN || failure == EWOULDBLOCK || failure == EINTR;
}

}  // namespace

std::vector<std::uint32_t> own_addresses() {
  ifaddrs* all = nullptr;
  check_system(getifaddrs(&all), "getifaddrs");
  std::vector<std::uint32_t> addresses;
  for (const ifaddrs* each = all; each != nullptr; each = each->ifa_next) {
    const bool usable = (each->ifa_flags & IFF_UP) != 0 && (each->ifa_flags & IFF_LOOPBACK) == 0;
    if (usable && each->ifa_addr != nullptr && each->ifa_addr->sa_family == AF_INET)
      addresses.push_back(reinterpret_cast<const sockaddr_in*>(each->ifa_addr)->sin_addr.s_addr);
  }
  freeifaddrs(all);
  return addresses;
}

Socket::~Socket() {
  if (is_open()) close(descriptor_);
}

Socket::Socket(Socket&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}

Socket& Socket::operator=(Socket&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  return *this;
}

Socket Socket::listening() {
  Socket listener(socket(AF_INET, flags, 0));
  check_system(listener.descriptor_, "socket");
  sockaddr_in any{};
  any.sin_family = AF_INET;
  any.sin_addr.s_addr = htonl(INADDR_ANY);
  check_system(bind(listener.descriptor_, general(any), sizeof any), "bind");
  check_system(listen(listener.descriptor_, SOMAXCONN), "listen");
  return listener;
}

Socket Socket::connecting(std::uint32_t address, std::uint16_t port) {
  Socket connection(socket(AF_INET, flags, 0));
  check_system(connection.descriptor_, "socket");
  sockaddr_in peer{};
  peer.sin_family = AF_INET;
  peer.sin_addr.s_addr = address;
  peer.sin_port = htons(port);
  if (connect(connection.descriptor_, general(peer), sizeof peer) == -1 && errno != EINPROGRESS && errno != EINTR)
    return {};
  return connection;
}

Socket Socket::accept() const {
  return Socket(accept4(descriptor_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
}

std::uint16_t Socket::port() const {
  sockaddr_in own{};
  socklen_t length = sizeof own;
  check_system(getsockname(descriptor_, general(own), &length), "getsockname");
  return ntohs(own.sin_port);
}

Socket::Outcome Socket::send(std::span<const std::byte> bytes) const {
  const ssize_t count = ::send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  if (count == static_cast<ssize_t>(bytes.size())) return Outcome::done;
  return count < 0 && is_later(errno) ? Outcome::not_now : Outcome::broken;
}

Socket::Outcome Socket::receive(std::span<std::byte> bytes, std::size_t& filled) const {
  const std::span<std::byte> rest = bytes.subspan(filled);
  const ssize_t count = recv(descriptor_, rest.data(), rest.size(), 0);
  if (count < 0) return is_later(errno) ? Outcome::not_now : Outcome::broken;
  if (count == 0) return Outcome::broken;
  filled += static_cast<std::size_t>(count);
  return filled == bytes.size() ? Outcome::done : Outcome::not_now;
}

}  // namespace tenfold::detail
