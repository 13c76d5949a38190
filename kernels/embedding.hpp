#pragma once
// Token look-up with optional added positions, and the scatter-add of its gradient. tokens: i32 [B*T]; token table [V,
// d]; position table [T, d] or absent (same type); out: [B*T, d].

#include "base/queue.hpp"

namespace tenfold::kernels {

/// out[b*T + t] = table[tokens[b*T + t]] + positions[t].
void embedding_forward(Queue& queue, const Tensor& tokens, const Tensor& table, const Tensor& positions,
                       const Tensor& out);

/// dtable[token] += dout (f32 [V, d], in row order: the same bits each time); dpositions[t] += sum over b (f32 [T, d]
/// or absent). Rows t >= lengths[b] are padding and contribute nothing; lengths: i32 [B].
void embedding_backward(Queue& queue, const Tensor& tokens, const Tensor& lengths, const Tensor& dout,
                        const Tensor& dtable, const Tensor& dpositions);

/// x[b*T + t] += positions[t]. x: [B*T, d], positions: [T, d] of the same type.
void positions_forward(Queue& queue, const Tensor& positions, const Tensor& x);
/// dpositions[t] += sum over b of dx[b*T + t], padding (t >= lengths[b]) left out; f32 [T, d].
void positions_backward(Queue& queue, const Tensor& lengths, const Tensor& dx, const Tensor& dpositions);

}  // namespace tenfold::kernels
