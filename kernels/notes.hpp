#pragma once
// Notes on rare words (TNF, Wu et al., arXiv 2008.01466): mixing them into the input, pooling new ones from the output,
// and the running mean of the dictionary. No gradient goes into notes.

#include "kernels/op.hpp"

namespace tenfold::kernels {

/// For each valid occurrence o < count: x[n] = (1 - mix) x[n] + mix * s * notes[o] for its rows n in [begin[o],
/// end[o]), which no two occurrences share. x: [N, d] f32 or bf16; begin, end: i32 [O]; count: i32 [1]; notes: f32 [O,
/// d]; 0 <= mix <= 1. s = 1, or with `rescale` rms(x[n]) / rms(notes[o]) (1 if a note is 0). mix = 0 leaves x as it is,
/// bit for bit.
inline constinit Op<void(Queue& queue, const Tensor& begin, const Tensor& end, const Tensor& count, const Tensor& notes,
                         float mix, bool rescale, const Tensor& x)>
    mix_notes("mix_notes");
/// dx[n] *= (1 - mix) at the same rows: the factor on the embedding. The scale of `rescale` is held constant.
inline constinit Op<void(Queue& queue, const Tensor& begin, const Tensor& end, const Tensor& count, float mix,
                         const Tensor& dx)>
    mix_notes_backward("mix_notes_backward");

/// notes[o] = mean of hidden[n] over n in [begin[o], end[o]), not empty, for o < count; other rows of notes stay as
/// they are. hidden: [N, d] f32 or bf16; begin, end: i32 [O]; count: i32 [1]; notes: f32 [O, d].
inline constinit Op<void(Queue& queue, const Tensor& hidden, const Tensor& begin, const Tensor& end,
                         const Tensor& count, const Tensor& notes)>
    pool_windows("pool_windows");

/// One update a key: table[row[u]] = (1 - rate) table[row[u]] + rate * mean of values[first[u] .. first[u+1]), not
/// empty, summed in f64 in that order. table: f32 [K, d]; row: i32 [U], distinct; first: i32 [U+1]; values: f32 [C, d].
inline constinit Op<void(Queue& queue, const Tensor& row, const Tensor& first, const Tensor& values, float rate,
                         const Tensor& table)>
    update_notes("update_notes");

}  // namespace tenfold::kernels
