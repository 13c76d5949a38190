#pragma once
// How long the ranks of the other hosts have been waiting. A rank that waits in a collective can send nothing through
// MPI, so the watchdogs tell each other over TCP: the first rank of every host has one connection to the first rank of
// the first host, which answers with the least over all. Addresses and a nonce, by which they know each other, were
// exchanged by MPI; the watchdog's thread makes no MPI call.

#include <array>
#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "parallel/mpi_communicator.hpp"
#include "process/detail/socket.hpp"

namespace tenfold::detail {

/// What is sent, in both directions.
struct HostBeat {
  std::uint64_t nonce = 0;
  double wait = 0;          ///< seconds for which every rank has been waiting without a sign of life; 0: one works
  std::int32_t node = 0;    ///< of the sender
  std::int32_t leaves = 0;  ///< 1: its last word
  std::array<char, 64> waits_in{};
};
static_assert(sizeof(HostBeat) == 88 && std::is_trivially_copyable_v<HostBeat>);

class HostLink {
 public:
  using Seconds = std::chrono::duration<double>;

  /// Collective over the world; the ranks agree on a failure. `leads`: the first rank of its host. Nothing is sent yet.
  HostLink(MpiCommunicator& world, bool leads, Seconds stall_timeout);
  /// Says farewell.
  ~HostLink();
  HostLink(const HostLink&) = delete;
  HostLink& operator=(const HostLink&) = delete;

  /// Whether this rank judges for its host: it hears of the others, or there are none.
  bool judges() const { return !several_ || leads_; }
  bool several() const { return several_; }

  /// Some times a second, by the rank that leads: `elapsed` since the last call, `wait` and `waits_in` as in HostBeat.
  void exchange(Seconds elapsed, Seconds wait, const std::string& waits_in);

  /// For how long no other host has shown progress; what it did since it was heard last is not known and is no
  /// progress. A host that was never heard may be working for all that is known. Without other hosts, for ever.
  Seconds others_wait() const;
  /// Lines that say of every other host where it waits, or that it went silent.
  std::string describe_others() const;

 private:
  struct Rendezvous {
    std::uint64_t nonce = 0;
    std::uint32_t port = 0;
    std::uint32_t count = 0;
    std::array<std::uint32_t, 16> addresses{};
  };
  struct Peer {
    std::string host;
    HostBeat last;
    Seconds silence{0};
    bool heard = false;
  };
  struct Connection {
    Socket socket;
    HostBeat incoming;
    std::size_t filled = 0;
    bool is_known = false;  ///< it gave the nonce
    Seconds age{0};
  };

  bool is_hub() const { return node_ == 0; }
  void connect(Seconds elapsed);
  void accept();
  void receive();
  bool take(const HostBeat& beat);
  void send(Seconds wait, const std::string& waits_in, bool leaves);
  Seconds wait_of(const Peer& peer) const;

  Seconds stall_timeout_;
  Seconds period_;
  bool leads_;
  bool several_ = false;
  std::int32_t node_ = 0;
  Rendezvous rendezvous_;
  Socket listener_;                      ///< of the hub
  std::vector<Connection> connections_;  ///< of another: one at most
  std::vector<Peer> peers_;              ///< of the hub: all others, by node; of another: the hub
  std::size_t next_address_ = 0;
  Seconds since_sent_{0};
  Seconds unheard_{0};
  bool has_complained_ = false;
};

}  // namespace tenfold::detail
