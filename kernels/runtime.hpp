#pragma once
// Start and end of the kernel libraries of a process. A command owns one while it uses kernels.

#include <string>

#include "base/tensor.hpp"

namespace tenfold::kernels {

class Runtime {
 public:
  /// `threads` threads for Kokkos and oneDNN in this process.
  explicit Runtime(int threads);
  ~Runtime();
  Runtime(const Runtime&) = delete;
  Runtime& operator=(const Runtime&) = delete;
};

/// "Kokkos 3.4.1 (Serial), oneDNN 2.6.3 (AVX-512)"
std::string library_versions();

/// What a user should know of products of this type on this processor, in one line; empty if nothing.
std::string remark_on_products(DType type);

}  // namespace tenfold::kernels
