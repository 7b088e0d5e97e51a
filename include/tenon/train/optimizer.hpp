// Optimizer: how gradients change parameters; what SGD and AdamW have in common.
#pragma once

#include <cmath>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <tuple>

#include <Eigen/Core>

#include <tenon/core/buffer.hpp>
#include <tenon/core/error.hpp>
#include <tenon/core/number_text.hpp>
#include <tenon/program/update_rule.hpp>
#include <tenon/train/parameter_runs.hpp>

namespace tenon {
inline namespace TENON_ISA_NAMESPACE {

/// One step of an optimizer on whole arenas.
template <class Scalar>
struct OptimizerStep {
    std::span<Scalar> parameters;
    std::span<const Scalar> gradients;
    double learning_rate = 0;
    long number = 1;  ///< of the step, counted from 1: bias corrections depend on it
};

/// An optimizer with its slots: arenas of what it remembers of earlier gradients, laid out as the parameters are.
/// Everything else about it is constant, so parameters, slots and the number of the step are its whole state.
///
/// Law: every element is computed by the same code wherever it stands, so a step is bitwise the same for any number of
/// ranks (test: tests/train/optimizer_test.cpp).
template <class Scalar>
class Optimizer {
public:
    /// `count` arenas of slots for `scalars` parameters, of which `runs` are changed.
    Optimizer(std::vector<ParameterRun> runs, long scalars, int count) : runs_{std::move(runs)} {
        for (int i = 0; i < count; ++i) slots_.emplace_back(static_cast<std::size_t>(scalars));
    }
    Optimizer(const Optimizer&) = delete;
    Optimizer& operator=(const Optimizer&) = delete;
    virtual ~Optimizer() = default;

    /// Does the share of `rank` among `ranks` of one step.
    void step(const OptimizerStep<Scalar>& step, int rank = 0, int ranks = 1) {
        const auto count = static_cast<long>(runs_.size());
        for (long i = count * rank / ranks; i < count * (rank + 1) / ranks; ++i)
            update(step, runs_[static_cast<std::size_t>(i)]);
    }

    /// Kind and options as text: two optimizers of the same identity do the same.
    virtual std::string identity() const = 0;
    /// The rate of the options, which a schedule scales.
    virtual double learning_rate() const = 0;
    /// The same as numbers, for engines that update parameters themselves; nothing if there is no rule for it, and
    /// then step() is called.
    virtual std::optional<UpdateRule> rule() const { return std::nullopt; }

    std::vector<Buffer<Scalar>>& slots() { return slots_; }
    const std::vector<Buffer<Scalar>>& slots() const { return slots_; }
    std::span<const ParameterRun> runs() const { return runs_; }

protected:
    virtual void update(const OptimizerStep<Scalar>& step, const ParameterRun& run) = 0;

    Scalar* slot(int index, long offset) { return slots_[static_cast<std::size_t>(index)].data() + offset; }

private:
    std::vector<ParameterRun> runs_;
    std::vector<Buffer<Scalar>> slots_;
};

/// Elements that an optimizer's formula works on at once.
template <class Scalar>
using ScalarBlock = Eigen::Array<Scalar, 16, 1>;

/// Calls formula(block of arrays[0], block of arrays[1], ...) for all of `count` elements and stores the blocks back. A
/// last block that is not full is filled up with zeros, so one code path computes every element.
template <class Scalar, class Formula, class... Arrays>
void update_blocks(long count, const Formula& formula, Arrays*... arrays) {
    using Block = ScalarBlock<Scalar>;
    constexpr long size = Block::SizeAtCompileTime;
    const auto store = []<class Element>(Element* to, const Block& values, long elements) {
        if constexpr (!std::is_const_v<Element>) std::copy_n(values.data(), elements, to);
    };
    const auto load = [](const Scalar* from, long elements) {
        Block values = Block::Zero();
        std::copy_n(from, elements, values.data());
        return values;
    };
    const auto apply = [&](auto... blocks) {
        formula(blocks...);
        return std::tuple{blocks...};
    };
    long i = 0;
    const auto run = [&](long elements) {
        const auto blocks = apply(load(arrays + i, elements)...);
        std::apply([&](const auto&... results) { (store(arrays + i, results, elements), ...); }, blocks);
    };
    for (; i + size <= count; i += size) run(size);
    if (i < count) run(count - i);
}

/// Throws tenon::Error unless an option is a finite number of at least 0, and below `limit` if that is given.
inline void check_rate(double value, const char* name, double limit = std::numeric_limits<double>::infinity()) {
    if (!(value >= 0 && value < limit && std::isfinite(value)))
        throw Error(std::string("the ") + name + " of an optimizer is a number of at least 0" +
                    (std::isfinite(limit) ? " and below " + std::to_string(limit) : "") + ", not " +
                    std::to_string(value));
}

/// A number as text that reads back as the same number, whatever the locale.
inline std::string exact_text(double value) { return detail::number_text(value, std::chars_format::general, 17); }

/// The roles that are decayed, as text.
inline std::string decay_text(double weight_decay, DecayedRoles decayed) {
    std::string text = "weight_decay=" + exact_text(weight_decay) + " of";
    if (decayed.weights) text += " weights";
    if (decayed.biases) text += " biases";
    if (decayed.gammas) text += " gammas";
    if (decayed.betas) text += " betas";
    return text;
}

}  // namespace TENON_ISA_NAMESPACE

/// What a trainer takes as an optimizer: options with a factory.
template <class Options, class Scalar>
concept OptimizerOptions = requires(const Options& options, std::vector<ParameterRun> runs) {
    { options.template make<Scalar>(runs, 0L) } -> std::convertible_to<std::unique_ptr<Optimizer<Scalar>>>;
    { options.decayed } -> std::convertible_to<DecayedRoles>;
};

}  // namespace tenon
