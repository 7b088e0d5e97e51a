#pragma once
// IWYU pragma: private, include <tenon/cuda.hpp>

// Packing: the current parameters of all convolutions and linear layers, in the order in which their kernels read them,
// by one launch at the start of an iteration. A launch for each would take longer than the copy: ResNet50V2 has more
// than a hundred.

#include <tenon/backend/cuda/kernels/map.hpp>
#include <tenon/backend/cuda/plan/step.hpp>

namespace tenon::cuda {

/// What a part of the packed parameters is.
enum class PackKind {
    forward,          ///< row by row, tap by tap, channel by channel; a row is an output
    bordered,         ///< the same for an image with a border: a row of taps is as one tap
    data_gradient,    ///< a row is an input, taps are mirrored, channels are the outputs
    linear_gradient,  ///< of a linear layer: a row is a feature of the map, which is pixel, then channel
    shift,            ///< of a convolution's sums: the biases of its terms, in 32 bits; in 16 bits then rounded, too
};

/// What one term, or one shift, needs packed. The taps of a linear layer are the pixels of the map that it reads.
struct PackPart {
    PackKind kind{};
    int first_block = 0;                ///< of the launch
    int count = 0;                      ///< of packed numbers
    const float* parameters = nullptr;  ///< [output][input][tap]; of a shift, the first term's bias, or null
    const float* others = nullptr;      ///< of a shift: the second term's bias, or null
    void* target = nullptr;
    int outputs = 1, inputs = 1, taps = 1;  ///< outputs of all groups, inputs of one
    int groups = 1;                         ///< of the layer
    int row_channels = 1;                   ///< of a tap in a packed row
    int row_taps = 1;                       ///< of an image with a border: taps of a row, of which there are `taps`
};

/// The scalars of the packing's call.
struct PackArguments {
    const PackPart* parts = nullptr;  ///< in the order of their blocks
    int count = 0, blocks = 0;
};

inline namespace TENON_ISA_NAMESPACE {

/// The kernel. A block packs some numbers of one part, which all of its threads search for.
template <Precision P>
struct PackKernel {
    static constexpr const char* name = "pack";
    static constexpr int threads = 256, numbers = 2048;  ///< of a block: the search takes as long as some of them
    using Arguments = PackArguments;
    using Registers = Nothing;
    using Shared = Nothing;

    template <class Block>
    TENON_DEVICE static void run(Block& block, const Arguments& arguments) {
        const int at = block.index().x;
        int found = 0;
        for (int end = arguments.count; end - found > 1;) {
            const int middle = (found + end) / 2;
            if (arguments.parts[middle].first_block <= at)
                found = middle;
            else
                end = middle;
        }
        const PackPart part = arguments.parts[found];
        const int first = (at - part.first_block) * numbers;
        const int end = part.count - first < numbers ? part.count : first + numbers;
        block.threads([&](int thread, Registers&) {
            for (int i = first + thread; i < end; i += threads) store(part, i, value_of(part, i));
        });
    }

    static Grid grid(const Arguments& arguments) { return {arguments.blocks, 1, 1}; }

private:
    TENON_DEVICE static float value_of(const PackPart& part, int index) {
        if (part.kind == PackKind::shift)
            return (part.parameters ? part.parameters[index] : 0.0f) + (part.others ? part.others[index] : 0.0f);
        const int rest = index / part.row_channels, channel = index - rest * part.row_channels;
        if (part.kind == PackKind::linear_gradient) {
            // One tap, the features as rows: `rest` is pixel * inputs + input.
            const int pixel = rest / part.inputs, input = rest - pixel * part.inputs;
            return part.parameters[(long{channel} * part.inputs + input) * part.taps + pixel];
        }
        const int row = rest / part.taps, tap = rest - row * part.taps, group_outputs = part.outputs / part.groups;
        if (part.kind == PackKind::data_gradient) {
            const int group = row / part.inputs, input = row - group * part.inputs;
            const long output = long{group} * group_outputs + channel;
            return part.parameters[(output * part.inputs + input) * part.taps + (part.taps - 1 - tap)];
        }
        if (part.kind == PackKind::bordered) {
            const int x = channel / padded_input, input = channel - x * padded_input;
            if (x >= part.row_taps || input >= part.inputs) return 0;
            return part.parameters[((long{row} * part.inputs + input) * part.taps + tap) * part.row_taps + x];
        }
        // A row may contain the channels of several groups (or padding): those of other groups than the output's are
        // zeros.
        const int input = channel - row / group_outputs * part.inputs % part.row_channels;
        if (input < 0 || input >= part.inputs) return 0;
        return part.parameters[(long{row} * part.inputs + input) * part.taps + tap];
    }

    TENON_DEVICE static void store(const PackPart& part, int index, float value) {
        auto* to = static_cast<Number<P>*>(part.target);
        if (part.kind == PackKind::shift) {
            auto* const floats = static_cast<float*>(part.target);
            floats[index] = value;
            if constexpr (sizeof(Number<P>) == sizeof(float)) return;
            to = reinterpret_cast<Number<P>*>(floats + part.count);
        }
        if constexpr (P == Precision::tensor_float32)
            to[index] = float_of_bits(round_to_tensor_float(bits_of(value)));
        else
            to[index] = from_float<Number<P>>(value);
    }
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::cuda
