#include "process/host_table.hpp"

#include <unistd.h>

#include <algorithm>
#include <iomanip>
#include <set>

#include "base/host.hpp"
#include "parallel/agree.hpp"
#include "process/detail/system.hpp"

namespace tenfold {

std::string describe(const CpuSet& cpus) {
  std::string out;
  for (std::size_t begin = 0; begin < cpus.size();) {
    std::size_t end = begin + 1;
    while (end < cpus.size() && cpus[end] == cpus[end - 1] + 1) ++end;
    out += text(out.empty() ? "" : ",", cpus[begin]);
    if (end - begin > 1) out += text("-", cpus[end - 1]);
    begin = end;
  }
  return out;
}

std::string host_table(Communicator& world, const std::string& device) {
  const std::vector<std::string> hosts = world.all_gather(host_name());
  const std::vector<std::string> cpus = world.all_gather(describe(detail::affinity()));
  const std::vector<std::string> devices = world.all_gather(device);
  const std::vector<int> pids = world.all_gather(static_cast<int>(getpid()));
  const auto column_of = [](const std::vector<std::string>& words, std::size_t width) {
    for (const std::string& word : words) width = std::max(width, word.size());
    return static_cast<int>(width) + 2;
  };
  const int column = column_of(hosts, 4), processors = column_of(cpus, 10);
  std::ostringstream out;
  out << std::left << std::setw(6) << "rank" << std::setw(column) << "host" << std::setw(10) << "pid"
      << std::setw(device.empty() ? 0 : processors) << "processors" << (device.empty() ? "" : "device") << '\n';
  for (std::size_t rank = 0; rank < hosts.size(); ++rank)
    out << std::setw(6) << rank << std::setw(column) << hosts[rank] << std::setw(10) << pids[rank]
        << std::setw(device.empty() ? 0 : processors) << cpus[rank] << devices[rank] << '\n';
  return out.str();
}

int threads_of(std::span<const CpuSet> bindings, int me) {
  const CpuSet& mine = bindings[static_cast<std::size_t>(me)];
  int sharers = 0;
  bool alike = true;
  for (const CpuSet& other : bindings) {
    if (other == mine) {
      ++sharers;
      continue;
    }
    alike = false;
    CpuSet common;
    std::set_intersection(mine.begin(), mine.end(), other.begin(), other.end(), std::back_inserter(common));
    if (!common.empty())
      throw InputError(text("ranks of one node are bound to overlapping processors, ", describe(mine), " and ",
                            describe(other),
                            "; bind them apart (mpirun --map-by slot:PE=N --bind-to core, "
                            "srun --cpu-bind=cores) or not at all"));
  }
  const int count = static_cast<int>(mine.size());
  if (!alike && count < sharers)
    throw InputError(text(sharers, " ranks of one node are bound to processors ", describe(mine),
                          " while others are bound elsewhere; bind them apart (mpirun --map-by slot:PE=N "
                          "--bind-to core, srun --cpu-bind=cores) or not at all"));
  return std::max(1, count / sharers);
}

namespace {

/// The processors of each rank of a node.
std::vector<CpuSet> bindings_of(MpiCommunicator& node) {
  const CpuSet mine = detail::affinity();
  const Received<int> all = node.all_gather_v(std::span<const int>(mine));
  std::vector<CpuSet> bindings;
  auto begin = all.values.begin();
  for (std::int64_t count : all.counts) {
    bindings.emplace_back(begin, begin + count);
    begin += count;
  }
  return bindings;
}

}  // namespace

int default_threads(MpiCommunicator& world) {
  MpiCommunicator node = world.split_node();
  const std::vector<CpuSet> bindings = bindings_of(node);
  return agree(world, [&] { return threads_of(bindings, node.rank()); });
}

int ranks_instead(std::span<const CpuSet> bindings, int threads) {
  std::set<int> processors;
  for (const CpuSet& each : bindings) processors.insert(each.begin(), each.end());
  const int ranks = static_cast<int>(bindings.size());
  return std::max(ranks, std::min(ranks * threads, static_cast<int>(processors.size())));
}

std::string remark_on_threads(MpiCommunicator& world, int threads) {
  MpiCommunicator node = world.split_node();
  const int ranks = node.size(), instead = ranks_instead(bindings_of(node), threads);
  const auto of_all_nodes = world.all_reduce_sum(std::int64_t{node.rank() == 0 ? instead : 0});
  if (instead == ranks) return "";
  return text(ranks, ranks == 1 ? " rank" : " ranks", " with ", threads, " threads on this node: ", instead,
              " ranks with 1 thread each are usually faster (mpirun -n ", of_all_nodes, ")");
}

}  // namespace tenfold
