#pragma once
// The multiple-choice head of MC-BERT (Xu et al., arXiv 2006.05744): the answer among k candidates a position, scored
// by gathering their rows of the token table.

#include "kernels/op.hpp"
#include "kernels/packed_rows.hpp"

namespace tenfold::kernels {

/// Lays out the questions, slot by slot:
///                    label   slot 0   slot 1           further slots
///   replaced[n]      1       nota     original[n]      the first k - 2 negatives
///   not replaced     0       nota     first negative   the other k - 2 negatives
/// Slots from k on are -1, and so is a slot whose negative is -1.
///   original, replaced, labels   i32 [N]
///   negatives                    i32 [N, K - 1]
///   candidates                   i32 [N, K]
///   k                            i32 [1], 2 to K
inline constinit Op<void(Queue& queue, const Tensor& original, const Tensor& replaced, const Tensor& negatives,
                         const Tensor& k, std::int32_t nota, const Tensor& candidates, const Tensor& labels)>
    make_questions("make_questions");

/// Cross entropy over the candidates (slots >= 0) of each row that belongs to a sequence:
///   score = hidden[n] . table[c] + bias[c]
/// with sums and softmax in f32.
///   hidden, table   [N, d], [V, d], f32 or bf16
///   bias            f32 [V]
///   candidates      i32 [N, K]
///   labels          i32 [N], slots that hold a candidate
///   weight          f32 [1]
///   losses          f32 [N], nats; 0 elsewhere
///   choice          i32 [N], slot of the greatest score, the first of equals; 0 elsewhere
/// If these three are given, also the gradients of weight * sum of losses; if all are absent, losses only:
///   dhidden         [N, d], written, 0 elsewhere
///   dtable, dbias   f32 [V, d], f32 [V], added to, in order of rows and slots
inline constinit Op<void(Queue& queue, const Tensor& hidden, const PackedRows& rows, const Tensor& table,
                         const Tensor& bias, const Tensor& candidates, const Tensor& labels, const Tensor& weight,
                         const Tensor& losses, const Tensor& choice, const Tensor& dhidden, const Tensor& dtable,
                         const Tensor& dbias)>
    candidate_loss("candidate_loss");

}  // namespace tenfold::kernels
