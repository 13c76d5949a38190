#include "process/detail/host_link.hpp"

#include <algorithm>
#include <cstring>
#include <random>

#include "base/host.hpp"
#include "parallel/agree.hpp"
#include "process/detail/system.hpp"

namespace tenfold::detail {

namespace {

using Seconds = HostLink::Seconds;

constexpr Seconds longest_period{1};
/// A connection that did not bring the nonce by then leads to someone else.
constexpr Seconds introduction_time{2};
/// Then a host that reaches the first one at none of its addresses says so.
constexpr Seconds complaint_time{15};

std::uint64_t draw_nonce() {
  std::random_device device;
  return std::uint64_t{device()} << 32U | device();
}

/// Names of the hosts by node. Collective.
std::vector<std::string> hosts_of_leaders(MpiCommunicator& world, bool leads) {
  std::vector<std::string> hosts = world.all_gather(leads ? host_name() : std::string());
  std::erase(hosts, "");
  return hosts;
}

int whole(Seconds seconds) {
  return static_cast<int>(std::min(seconds.count(), 1e9));
}

}  // namespace

HostLink::HostLink(MpiCommunicator& world, bool leads, Seconds stall_timeout)
    : stall_timeout_(stall_timeout), period_(std::min(longest_period, stall_timeout / 8)), leads_(leads) {
  const std::vector<std::string> hosts = hosts_of_leaders(world, leads);
  several_ = hosts.size() > 1;
  if (!several_) return;
  node_ = static_cast<std::int32_t>(world.exclusive_scan_sum(std::int64_t{leads}));
  agree_on_root(world, [&] {
    listener_ = Socket::listening();
    const std::vector<std::uint32_t> addresses = own_addresses();
    rendezvous_ = {draw_nonce(), listener_.port(), 0, {}};
    for (std::uint32_t address : std::span(addresses).first(std::min(addresses.size(), rendezvous_.addresses.size())))
      rendezvous_.addresses.at(rendezvous_.count++) = address;
  });
  world.broadcast(std::span(&rendezvous_, 1));
  if (!leads) return;
  if (!is_hub())
    peers_.push_back({hosts.front(), {}, Seconds{0}, false});
  else
    for (std::size_t node = 1; node < hosts.size(); ++node) peers_.push_back({hosts[node], {}, Seconds{0}, false});
}

HostLink::~HostLink() {
  send(Seconds{0}, "", true);
}

void HostLink::exchange(Seconds elapsed, Seconds wait, const std::string& waits_in) {
  for (Peer& peer : peers_) peer.silence += elapsed;
  for (Connection& connection : connections_) connection.age += elapsed;
  if (is_hub())
    accept();
  else
    connect(elapsed);
  receive();
  since_sent_ += elapsed;
  if (since_sent_ < period_) return;
  since_sent_ = Seconds{0};
  send(is_hub() ? std::min(wait, others_wait()) : wait, waits_in, false);
}

void HostLink::accept() {
  for (Socket come = listener_.accept(); come.is_open(); come = listener_.accept()) {
    connections_.emplace_back();
    connections_.back().socket = std::move(come);
  }
}

void HostLink::connect(Seconds elapsed) {
  Peer& hub = peers_.front();
  if (!hub.heard) unheard_ += elapsed;
  if (unheard_ > complaint_time && !has_complained_) {
    has_complained_ = true;
    write_error(text("tenfold: host ", host_name(), " reaches host ", hub.host, " at none of its ", rendezvous_.count,
                     " IPv4 addresses over TCP: ranks that wait for ever on both are not noticed\n"));
  }
  if (!connections_.empty() || rendezvous_.count == 0) return;
  const std::uint32_t address = rendezvous_.addresses.at(next_address_++ % rendezvous_.count);
  connections_.emplace_back();
  connections_.back().socket = Socket::connecting(address, static_cast<std::uint16_t>(rendezvous_.port));
}

void HostLink::receive() {
  std::erase_if(connections_, [this](Connection& connection) {
    const auto bytes = std::as_writable_bytes(std::span(&connection.incoming, 1));
    while (connection.socket.is_open()) {
      const Socket::Outcome outcome = connection.socket.receive(bytes, connection.filled);
      if (outcome == Socket::Outcome::broken) return true;
      if (outcome == Socket::Outcome::not_now) return !connection.is_known && connection.age > introduction_time;
      if (!take(connection.incoming)) return true;
      connection.is_known = true;
      connection.filled = 0;
    }
    return true;
  });
}

bool HostLink::take(const HostBeat& beat) {
  const std::size_t index = is_hub() ? static_cast<std::size_t>(beat.node - 1) : static_cast<std::size_t>(beat.node);
  if (beat.nonce != rendezvous_.nonce || index >= peers_.size()) return false;
  Peer& peer = peers_[index];
  peer.last = beat;
  peer.last.waits_in.back() = '\0';
  peer.silence = Seconds{0};
  peer.heard = true;
  return true;
}

void HostLink::send(Seconds wait, const std::string& waits_in, bool leaves) {
  HostBeat beat{rendezvous_.nonce, wait.count(), node_, leaves ? 1 : 0, {}};
  std::strncpy(beat.waits_in.data(), waits_in.c_str(), beat.waits_in.size() - 1);
  // The hub does not give the nonce to one who did not bring it.
  std::erase_if(connections_, [&](const Connection& connection) {
    return (connection.is_known || !is_hub()) &&
           connection.socket.send(std::as_bytes(std::span(&beat, 1))) == Socket::Outcome::broken;
  });
}

Seconds HostLink::wait_of(const Peer& peer) const {
  // Without the hub nothing is known of the others; a host that left the run keeps none of them from ending.
  if (!peer.heard) return Seconds{0};
  if (peer.last.leaves != 0) return is_hub() ? Seconds::max() : Seconds{0};
  return Seconds{peer.last.wait} + peer.silence;
}

Seconds HostLink::others_wait() const {
  Seconds least = Seconds::max();
  for (const Peer& peer : peers_) least = std::min(least, wait_of(peer));
  return least;
}

std::string HostLink::describe_others() const {
  std::string lines;
  for (const Peer& peer : peers_) {
    if (peer.last.leaves != 0) continue;
    const char* others = is_hub() ? "" : " and all others";
    if (peer.silence > stall_timeout_ / 2)
      lines += text("tenfold: host ", peer.host, " went silent ", whole(peer.silence), " s ago\n");
    else
      lines += text("tenfold: host ", peer.host, others, " waits since ", whole(wait_of(peer)), " s, in ",
                    peer.last.waits_in.data(), "\n");
  }
  return lines;
}

}  // namespace tenfold::detail
