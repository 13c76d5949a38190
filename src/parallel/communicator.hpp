#pragma once
// Collective operations of a group of ranks. Every call is collective: all ranks of the group make the same calls in
// the same order. Failures of the library throw Error. Training is written against this interface;
// what must hand a communicator to a library (HDF5) takes MpiCommunicator.

#include <concepts>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "base/queue.hpp"
#include "base/tensor.hpp"

namespace tenfold {

enum class Reduction { sum, max, min };

template <class T>
concept Reducible = std::same_as<T, float> || std::same_as<T, double> || std::same_as<T, std::int64_t>;

template <class T>
concept Transferable = std::is_trivially_copyable_v<T> && !std::is_const_v<T>;

/// Of a size that MPI has a data type for.
template <class T>
concept Word = (sizeof(T) == 1 || sizeof(T) == 4 || sizeof(T) == 8) && Transferable<T>;

/// An operation that was started and not yet waited for. Its buffers must stay untouched until Communicator::wait.
struct [[nodiscard]] Request {
  std::int32_t slot = -1;
};

/// What a rank received, ordered by sender, and how many elements from each.
template <class T>
struct Received {
  std::vector<T> values;
  std::vector<std::int64_t> counts;
};

class Communicator {
 public:
  virtual ~Communicator() = default;
  virtual int rank() const = 0;
  virtual int size() const = 0;
  virtual void barrier() = 0;
  /// The same ranks as a group of their own: operations of the two may be ordered differently on different ranks.
  /// Collective, also when the copy goes.
  virtual std::unique_ptr<Communicator> duplicate() = 0;

  /// In place, element by element. For a given number of ranks the result has the same bits on every rank and every
  /// time.
  template <Reducible T>
  void all_reduce_sum(std::span<T> values) {
    all_reduce(values.data(), values.size(), dtype_of<T>(), Reduction::sum);
  }
  template <Reducible T>
  T all_reduce_sum(T value) {
    all_reduce(&value, 1, dtype_of<T>(), Reduction::sum);
    return value;
  }
  template <Reducible T>
  T all_reduce_max(T value) {
    all_reduce(&value, 1, dtype_of<T>(), Reduction::max);
    return value;
  }
  template <Reducible T>
  T all_reduce_min(T value) {
    all_reduce(&value, 1, dtype_of<T>(), Reduction::min);
    return value;
  }

  /// How long sums are best cut: bytes of one, and how many may be under way at once.
  struct Buckets {
    std::int64_t bytes = 4 << 20;
    int under_way = 4;
  };
  virtual Buckets buckets() const = 0;

  /// Starts an in-place sum of an f32 or f64 tensor of fewer than 2^31 elements, after the work that was issued on the
  /// queue before, and returns at once; allocates nothing once as many requests as now have been outstanding before.
  virtual Request start_all_reduce_sum(Queue& queue, const Tensor& values) = 0;
  /// Lets outstanding requests advance; returns at once. Most MPIs move data only inside MPI calls.
  virtual void poll() = 0;
  /// Polls and says whether the request is complete; it must be waited for all the same.
  virtual bool test(Request request) = 0;
  /// Returns when the request is complete; its token is then used up.
  virtual void wait(Request request) = 0;

  /// The root's elements to all; all ranks pass as many.
  template <Transferable T>
  void broadcast(std::span<T> values, int root = 0) {
    broadcast_bytes(values.data(), values.size_bytes(), root);
  }
  /// The root's string to all.
  void broadcast(std::string& value, int root = 0);

  /// Every rank's value, ordered by rank.
  template <Transferable T>
  std::vector<T> all_gather(const T& value) {
    std::vector<T> all(static_cast<std::size_t>(size()));
    all_gather_bytes(&value, sizeof(T), all.data());
    return all;
  }
  std::vector<std::string> all_gather(const std::string& value);

  /// Every rank's elements (any number each), ordered by rank; fewer than 2^31 elements in all.
  template <Transferable T>
  Received<T> all_gather_v(std::span<const T> values) {
    Received<T> all;
    all.counts = all_gather(static_cast<std::int64_t>(values.size()));
    all.values.resize(static_cast<std::size_t>(total(all.counts)));
    all_gather_v_bytes(values.data(), all.counts, all.values.data(), sizeof(T));
    return all;
  }

  /// `send` holds `size()` equal blocks, one for each rank; `receive` as many, one from each.
  template <Transferable T>
  void all_to_all(std::span<const T> send, std::span<T> receive) {
    TENFOLD_VERIFY(send.size() == receive.size() && send.size() % static_cast<std::size_t>(size()) == 0, "sends ",
                   send.size(), ", receives ", receive.size());
    all_to_all_bytes(send.data(), receive.data(), send.size_bytes() / static_cast<std::size_t>(size()));
  }

  /// `send` holds send_counts[r] elements for each rank r, one rank after another; `receive` gets receive_counts[r]
  /// from each, likewise. Fewer than 2^31 elements either way.
  template <Transferable T>
  void all_to_all_v(std::span<const T> send, std::span<const std::int64_t> send_counts, std::span<T> receive,
                    std::span<const std::int64_t> receive_counts) {
    verify_fit(send.size(), send_counts, receive.size(), receive_counts);
    all_to_all_v_bytes(send.data(), send_counts, receive.data(), receive_counts, sizeof(T));
  }

  /// all_to_all and all_to_all_v that are started and return at once; the buffers, not the counts, must stay untouched
  /// until the request is waited for. Allocate as start_all_reduce_sum does.
  template <Word T>
  Request start_all_to_all(std::span<const T> send, std::span<T> receive) {
    TENFOLD_VERIFY(send.size() == receive.size() && send.size() % static_cast<std::size_t>(size()) == 0, "sends ",
                   send.size(), ", receives ", receive.size());
    return start_all_to_all_words(send.data(), receive.data(), send.size() / static_cast<std::size_t>(size()),
                                  sizeof(T));
  }
  template <Word T>
  Request start_all_to_all_v(std::span<const T> send, std::span<const std::int64_t> send_counts, std::span<T> receive,
                             std::span<const std::int64_t> receive_counts) {
    verify_fit(send.size(), send_counts, receive.size(), receive_counts);
    return start_all_to_all_v_words(send.data(), send_counts, receive.data(), receive_counts, sizeof(T));
  }

  /// all_to_all_v where the receive counts are not known beforehand; allocates what it returns.
  template <Transferable T>
  Received<T> all_to_all_v(std::span<const T> send, std::span<const std::int64_t> send_counts) {
    Received<T> received;
    received.counts.resize(static_cast<std::size_t>(size()));
    all_to_all(send_counts, std::span(received.counts));
    received.values.resize(static_cast<std::size_t>(total(received.counts)));
    all_to_all_v(send, send_counts, std::span(received.values), std::span<const std::int64_t>(received.counts));
    return received;
  }

  /// Sum of the values of all lower ranks; 0 on rank 0.
  virtual std::int64_t exclusive_scan_sum(std::int64_t value) = 0;

 protected:
  static std::int64_t total(std::span<const std::int64_t> counts);
  static void verify_fit(std::size_t sent, std::span<const std::int64_t> send_counts, std::size_t received,
                         std::span<const std::int64_t> receive_counts);

  virtual void all_reduce(void* values, std::size_t count, DType type, Reduction reduction) = 0;
  virtual void broadcast_bytes(void* data, std::size_t bytes, int root) = 0;
  virtual void all_gather_bytes(const void* mine, std::size_t bytes, void* all) = 0;
  virtual void all_gather_v_bytes(const void* mine, std::span<const std::int64_t> counts, void* all,
                                  std::size_t element_bytes) = 0;
  virtual void all_to_all_bytes(const void* send, void* receive, std::size_t block_bytes) = 0;
  virtual void all_to_all_v_bytes(const void* send, std::span<const std::int64_t> send_counts, void* receive,
                                  std::span<const std::int64_t> receive_counts, std::size_t element_bytes) = 0;
  virtual Request start_all_to_all_words(const void* send, void* receive, std::size_t block_words,
                                         std::size_t word_bytes) = 0;
  virtual Request start_all_to_all_v_words(const void* send, std::span<const std::int64_t> send_counts, void* receive,
                                           std::span<const std::int64_t> receive_counts, std::size_t word_bytes) = 0;
};

}  // namespace tenfold
