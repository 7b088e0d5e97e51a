#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// Reference: the naive backend that tests compare with, as an engine for Model.

#include <span>
#include <vector>

#include <tenon/backend/reference/interpreter.hpp>
#include <tenon/core/min_max.hpp>
#include <tenon/core/moved_from.hpp>
#include <tenon/topology/network.hpp>

namespace tenon {

namespace reference {
inline namespace TENON_ISA_NAMESPACE {

/// Runs a network with the reference interpreter, image by image, on the calling thread.
template <class Net, class ScalarType>
class Engine {
public:
    using Scalar = ScalarType;
    struct Compiled {
        static constexpr int steps = lowered<Net>.ops.size();
    };

    Engine(int, int) {}

    void set_parameters(std::span<const float* const> tensors) {
        moved_from_.check("engine");
        tensors_.clear();
        for (std::size_t i = 0; i < tensors.size(); ++i) {
            const long elements = lowered<Net>.parameters[static_cast<int>(i)].elements();
            tensors_.emplace_back(tensors[i], tensors[i] + elements);
        }
    }

    template <class Observe>
    void run(const Scalar* images, Scalar* results, long count, Observe observe) {
        moved_from_.check("engine");
        const auto& program = lowered<Net>;
        const Interpreter<Scalar> interpreter{{program.values.begin(), program.values.end()},
                                              {program.layers.begin(), program.layers.end()},
                                              {program.parameters.begin(), program.parameters.end()}};
        const long inputs = program.values[0].elements(), outputs = program.values[program.output].elements();
        values_.resize(index(program.values.size()));
        for (long image = 0; image < count; ++image) {
            values_[0].assign(images + image * inputs, images + (image + 1) * inputs);
            for (int i = 0; i < program.ops.size(); ++i) {
                interpreter.run(program.ops[i], values_, tensors_);
                observe(i);
            }
            const auto& result = values_[index(program.output)];
            std::copy(result.begin(), result.end(), results + image * outputs);
        }
    }

    /// The values of the last image, one vector per value of the program: for comparisons layer by layer.
    const std::vector<std::vector<Scalar>>& values() const { return values_; }

    int threads() const { return 1; }

private:
    std::vector<std::vector<Scalar>> tensors_, values_;
    MovedFrom moved_from_;
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace reference

/// The naive backend: `Model<Net, Reference<double>>`.
template <class ScalarType>
struct Reference {
    template <class Net>
    using Engine = reference::Engine<Net, ScalarType>;
};

}  // namespace tenon
