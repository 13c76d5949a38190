#pragma once
// Notes on rare words (TNF, Wu et al., arXiv 2008.01466): mixing them into the input, making new ones from the output,
// and the running mean that the dictionary keeps. No gradient goes into a note.

#include "kernels/op.hpp"

namespace tenfold::kernels {

/// For each valid occurrence o, at its rows n in [begin[o], end[o]), which no two occurrences share:
///   x[n] = (1 - mix) * x[n] + mix * s * notes[o]
///   s    = 1; with `rescale` rms(x[n]) / rms(notes[o]), or 1 where the note is 0
/// With mix = 0 every bit of x stays.
///   begin, end   i32 [O]
///   count        i32 [1], how many of the O are valid
///   notes        f32 [O, d]
///   mix          0 to 1
///   x            [N, d], f32 or bf16
inline constinit Op<void(Queue& queue, const Tensor& begin, const Tensor& end, const Tensor& count, const Tensor& notes,
                         float mix, bool rescale, const Tensor& x)>
    mix_notes("mix_notes");
/// dx[n] *= 1 - mix at the same rows. s counts as a constant, so that `rescale` adds no gradient.
inline constinit Op<void(Queue& queue, const Tensor& begin, const Tensor& end, const Tensor& count, float mix,
                         const Tensor& dx)>
    mix_notes_backward("mix_notes_backward");

/// For each valid window o: notes[o] = mean over n in [begin[o], end[o]) of hidden[n], of at least one row. Rows of
/// notes that are not valid stay as they are. Shapes as above; hidden: [N, d], f32 or bf16.
inline constinit Op<void(Queue& queue, const Tensor& hidden, const Tensor& begin, const Tensor& end,
                         const Tensor& count, const Tensor& notes)>
    pool_windows("pool_windows");

/// One update a key, for each u < U:
///   table[row[u]] = (1 - rate) * table[row[u]] + rate * mean of values[first[u]] .. values[first[u + 1] - 1]
/// The mean is of at least one vector, summed in f64 in that order.
///   row      i32 [U], distinct
///   first    i32 [U + 1]
///   values   f32 [C, d]
///   table    f32 [K, d]
inline constinit Op<void(Queue& queue, const Tensor& row, const Tensor& first, const Tensor& values, float rate,
                         const Tensor& table)>
    update_notes("update_notes");

}  // namespace tenfold::kernels
