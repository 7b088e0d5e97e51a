#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// Pass: strided projections read a compact copy of the pixels that their windows touch.

#include <tenon/program/uses.hpp>

namespace tenon::detail {

/// Before each sum whose second term is a strided pointwise convolution, a max pooling with windows of one pixel copies
/// the pixels that this term reads. Without gaps both terms can be computed as one long row, and their operands use all
/// sets of a cache instead of every second one. Products and their order stay the same. A program without a value to
/// spare is left unchanged; fusing a projection's addition leaves one.
///
/// Example: a projection of [256, 56, 56] with stride 2 -> a copy [256, 28, 28], and the projection with stride 1.
template <Capacity C>
constexpr Program<C> compact_projections(Program<C> program) {
    const Uses<C> uses{program};
    int spare = 1;  // a value that fusing has left without a use
    for (int i = 0; i < program.ops.size(); ++i) {
        ConvTerm& projection = program.ops[i].terms[1];
        const Window window = projection.window;
        if (program.ops[i].kind != OpKind::conv || projection.source < 0 || !window.is_pointwise()) continue;
        if (window.stride_height * window.stride_width == 1) continue;
        while (spare < program.values.size() && (uses.producer[spare] >= 0 || uses.consumers[spare] > 0)) ++spare;
        if (spare == program.values.size()) break;

        const Shape source = program.values[projection.source];
        program.values[spare] = {source.channels, window.output_height(source.height),
                                 window.output_width(source.width)};
        Op copy{};
        copy.kind = OpKind::max_pool;
        copy.target = spare++;
        copy.terms[0] = {projection.source, projection.layer, -1, window};
        projection.source = copy.target;
        projection.window = {};
        program.ops.push_back(copy);
        for (int j = program.ops.size() - 1; j > i; --j) program.ops[j] = program.ops[j - 1];
        program.ops[i++] = copy;
    }
    return program;
}

}  // namespace tenon::detail
