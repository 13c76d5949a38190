#pragma once
// For functions that host and device code call alike.

#ifdef __CUDACC__
#define TENFOLD_ANY_DEVICE __host__ __device__
#else
#define TENFOLD_ANY_DEVICE
#endif
