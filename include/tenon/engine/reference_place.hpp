#pragma once
// IWYU pragma: private, include <tenon/report.hpp>

// Runs a network up to a place, and back from its results to that place, with the loops of the reference backend.

#include <algorithm>
#include <cstddef>
#include <functional>
#include <span>
#include <vector>

#include <tenon/backend/reference/training_backward.hpp>
#include <tenon/program/training/gradient_program.hpp>
#include <tenon/topology/facts.hpp>

namespace tenon::reference {
inline namespace TENON_ISA_NAMESPACE {

/// What a run took.
struct PlaceCost {
    long forward_multiply_adds = 0, backward_multiply_adds = 0;  ///< of one pass
    int backward_steps = 0;                                      ///< of one pass back
    std::size_t bytes = 0;                                       ///< the most that values and gradients held at once
};

/// A value of one image, and the gradient of one logit with respect to it.
template <class Scalar>
struct PlaceGradient {
    int label = 0;
    std::vector<Scalar> gradient;
};
template <class Scalar>
struct PlaceResult {
    std::vector<Scalar> values, logits;
    std::vector<PlaceGradient<Scalar>> gradients;
    PlaceCost cost;
};

/// Interprets a gradient program on one image at a time. A value is dropped after the last operation that reads it.
template <class Scalar>
class PlaceEngine {
public:
    using Vector = std::vector<Scalar>;

    PlaceEngine(const detail::GradientProgram& program, std::span<const float> parameters)
        : program_{program}, parameters_(parameters.begin(), parameters.end()) {
        state_.shapes = program.values;
        state_.layers = program.layers;
        state_.tensors = program.parameters;
        state_.parameters = parameters_;
        state_.values.resize(program.values.size());
        state_.mean.resize(program.layers.size());
        state_.inverse_deviation.resize(program.layers.size());
        state_.batch = 1;
    }
    PlaceEngine(const PlaceEngine&) = delete;
    PlaceEngine& operator=(const PlaceEngine&) = delete;

    /// From now on, ReLUs let only positive gradients pass back.
    void set_guided() { state_.guided = true; }

    /// The value of an image at a place; what comes after it is not computed.
    Vector value(std::span<const Scalar> image, int place) {
        begin(image, std::vector{place});
        run(0, program_.forward_ops, true);
        return state_.value(place);
    }

    /// The logits of an image if the value at a place were another one.
    Vector logits_with(std::span<const Scalar> image, int place, std::span<const Scalar> instead) {
        begin(image, std::vector{program_.output});
        replaced_ = place;
        instead_.assign(instead.begin(), instead.end());
        run(0, program_.forward_ops, true);
        replaced_ = -1;
        return state_.value(program_.output);
    }

    /// The value at a place and the gradients of some logits with respect to it: one pass forward, and one back for
    /// each class that `choose(logits)` names.
    PlaceResult<Scalar> gradients(std::span<const Scalar> image, int place,
                                  const std::function<std::vector<int>(std::span<const Scalar>)>& choose) {
        const int gradient = program_.gradient[index(place)];
        std::vector<int> wanted{place, program_.output};
        if (gradient >= 0) wanted.push_back(gradient);
        begin(image, wanted);
        run(0, program_.forward_ops, true);
        PlaceResult<Scalar> result{
            .values = state_.value(place), .logits = state_.value(program_.output), .gradients = {}, .cost = {}};
        const std::vector<int> labels = choose(result.logits);
        for (std::size_t i = 0; i < labels.size(); ++i) {
            Vector seed(result.logits.size(), Scalar{0});
            seed[index(labels[i])] = 1;
            put(program_.output_gradient, std::move(seed));
            run(program_.forward_ops, static_cast<int>(program_.ops.size()), i + 1 == labels.size());
            result.gradients.push_back(
                {labels[i], gradient < 0 ? Vector(result.values.size(), Scalar{0}) : state_.value(gradient)});
        }
        result.cost = cost_;
        return result;
    }

private:
    void begin(std::span<const Scalar> image, std::vector<int> wanted) {
        needed_ = detail::NeededOps{program_, wanted};
        for (Vector& value : state_.values) value = Vector{};
        held_ = 0;
        cost_ = {};
        put(0, Vector(image.begin(), image.end()));
    }

    void put(int value, Vector content) {
        held_ -= state_.value(value).size() * sizeof(Scalar);
        state_.value(value) = std::move(content);
        count(value);
    }
    void count(int value) {
        held_ += state_.value(value).size() * sizeof(Scalar);
        cost_.bytes = std::max(cost_.bytes, held_);
    }

    /// Runs the needed ones of some operations. Values of the forward pass are dropped only if `is_last`: another pass
    /// back reads them again.
    void run(int begin, int end, bool is_last) {
        TrainingInterpreter<Scalar> interpreter{state_};
        for (int i = begin; i < end; ++i) {
            const TrainingOp& step = program_.ops[index(i)];
            if (!needed_.runs[index(i)]) continue;
            const Op& op = program_.forward[index(step.op)];
            held_ -= state_.value(step.target).size() * sizeof(Scalar);
            interpreter.run(op, step);
            if (step.target == replaced_) state_.value(step.target) = instead_;
            count(step.target);
            const bool is_forward = i < program_.forward_ops;
            cost_.backward_steps += !is_forward && is_last ? 1 : 0;
            if (is_forward || (is_last && step.kind == TrainingKind::data_gradient))
                (is_forward ? cost_.forward_multiply_adds : cost_.backward_multiply_adds) +=
                    multiply_adds_of(program_.layers, program_.parameters, op);
            for_each_operand(step, [&](int value) {
                const bool is_of_forward = index(value) < program_.gradient.size();
                if (needed_.last_use[index(value)] != i || (is_of_forward && !is_last)) return;
                held_ -= state_.value(value).size() * sizeof(Scalar);
                state_.value(value) = Vector{};
            });
        }
    }

    const detail::GradientProgram& program_;
    Vector parameters_, instead_;
    TrainingState<Scalar> state_;
    detail::NeededOps needed_{program_, {}};
    PlaceCost cost_;
    std::size_t held_ = 0;
    int replaced_ = -1;
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::reference
