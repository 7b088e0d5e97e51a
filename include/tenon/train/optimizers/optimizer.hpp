#pragma once
// IWYU pragma: private, include <tenon/training.hpp>

// Optimizer: how gradients change parameters; what SGD and AdamW have in common.

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <tuple>

#include <Eigen/Core>

#include <tenon/core/buffer.hpp>
#include <tenon/core/error.hpp>
#include <tenon/core/index.hpp>
#include <tenon/core/number_text.hpp>
#include <tenon/engine/parameter_runs.hpp>
#include <tenon/engine/training_types.hpp>

namespace tenon {

namespace detail {
inline namespace TENON_ISA_NAMESPACE {

/// The arguments of one update of all parameters.
template <class Scalar>
struct OptimizerStep {
    std::span<Scalar> parameters;
    std::span<const Scalar> gradients;
    double learning_rate = 0;
    long number = 1;  ///< of the update, counted from 1: bias corrections depend on it
};

/// An optimizer with its slots: arrays of what it remembers of earlier gradients, in the order of the parameters.
/// Everything else in it is constant, so parameters, slots and the number of the update are its complete state.
///
/// Law: every element is computed by the same code wherever it is, so an update is bitwise the same for any number of
/// workers (test: tests/train/optimizer_test.cpp).
template <class Scalar>
class Optimizer {
public:
    /// `count` slots for `scalars` parameters, of which `runs` are changed.
    Optimizer(std::vector<ParameterRun> runs, long scalars, int count) : runs_{std::move(runs)} {
        for (int i = 0; i < count; ++i) slots_.emplace_back(detail::index(scalars));
    }
    Optimizer(const Optimizer&) = delete;
    Optimizer& operator=(const Optimizer&) = delete;
    virtual ~Optimizer() = default;

    /// Computes the share of `worker` among `workers` of one update.
    void step(const OptimizerStep<Scalar>& step, int worker = 0, int workers = 1) {
        const auto count = std::ssize(runs_);
        for (long i = count * worker / workers; i < count * (worker + 1) / workers; ++i)
            update(step, runs_[detail::index(i)]);
    }

    /// Kind and options as text: two optimizers of the same identity compute the same.
    virtual std::string identity() const = 0;
    /// The learning rate of the options, which a schedule multiplies.
    virtual double learning_rate() const = 0;
    /// The same as numbers, for engines that update parameters themselves; nothing if no such rule exists, and then
    /// step() is called.
    virtual std::optional<UpdateRule> rule() const { return std::nullopt; }

    std::vector<Buffer<Scalar>>& slots() { return slots_; }
    const std::vector<Buffer<Scalar>>& slots() const { return slots_; }
    std::span<const ParameterRun> runs() const { return runs_; }

protected:
    virtual void update(const OptimizerStep<Scalar>& step, const ParameterRun& run) = 0;

    Scalar* slot(int index, long offset) { return slots_[detail::index(index)].data() + offset; }

private:
    std::vector<ParameterRun> runs_;
    std::vector<Buffer<Scalar>> slots_;
};

/// The elements that an optimizer's formula processes at once.
template <class Scalar>
using ScalarBlock = Eigen::Array<Scalar, 16, 1>;

/// Calls formula(block of arrays[0], block of arrays[1], ...) for all of `count` elements and stores the blocks back.
/// An incomplete last block is padded with zeros, so one code path computes every element.
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

/// Throws tenon::Error unless an option is a finite number of at least 0, and below `limit` if one is given.
inline void check_rate(double value, const char* name, double limit = std::numeric_limits<double>::infinity()) {
    if (!(value >= 0 && value < limit && std::isfinite(value)))
        throw Error(std::string("the ") + name + " of an optimizer is a number of at least 0" +
                    (std::isfinite(limit) ? " and below " + fixed_text(limit) : "") + ", not " + fixed_text(value));
}

/// A number as text that reads back as the same number, whatever the locale.
inline std::string exact_text(double value) { return number_text(value, std::chars_format::general, 17); }

/// The roles that decay, as text.
inline std::string decay_text(double weight_decay, DecayedRoles decayed) {
    std::string text = "weight_decay=" + exact_text(weight_decay) + " of";
    if (decayed.weights) text += " weights";
    if (decayed.biases) text += " biases";
    if (decayed.gammas) text += " gammas";
    if (decayed.betas) text += " betas";
    return text;
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace detail

/// What a trainer takes as an optimizer: options with a factory.
template <class Options, class Scalar>
concept OptimizerOptions = requires(const Options& options, std::vector<detail::ParameterRun> runs) {
    { options.template make<Scalar>(runs, 0L) } -> std::convertible_to<std::unique_ptr<detail::Optimizer<Scalar>>>;
    { options.decayed } -> std::convertible_to<DecayedRoles>;
};

}  // namespace tenon
