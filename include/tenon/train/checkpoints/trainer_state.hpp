#pragma once
// IWYU pragma: private, include <tenon/training.hpp>

// How far a training has come, as the numbers that a checkpoint holds.

#include <cmath>

#include <tenon/train/callbacks/history.hpp>
#include <tenon/train/checkpoints/checkpoint.hpp>
#include <tenon/train/optimizers/optimizer.hpp>

namespace tenon::detail {
inline namespace TENON_ISA_NAMESPACE {

/// The position of a trainer. A fit is open from its beginning to its end: a trainer restored from a checkpoint made in
/// between resumes it.
struct TrainerState {
    long step = 0;     ///< iterations done
    long skipped = 0;  ///< of these, as their gradients overflowed: neither optimizer nor average counts them
    long epoch = 0;    ///< epochs done
    long batch = 0;    ///< batches of the current epoch done
    bool fit_open = false;
    long fit_step = 0, fit_epoch = 0;  ///< where the fit began
    long fit_epochs = 0;               ///< FitOptions::epochs
    double fit_budget = 0;             ///< FitOptions::budget_seconds
    double fit_seconds = 0;            ///< time that the fit has taken
    long batches = 0;                  ///< in an epoch
    double epoch_loss = 0;             ///< sum over the current epoch so far
    long epoch_correct = 0, epoch_images = 0;
    double epoch_seconds = 0;
    double learning_rate = 0;

    /// Calls f(name, member) for each number.
    template <class Self, class F>
    static void for_each(Self& self, const F& f) {
        f("step", self.step);
        f("epoch", self.epoch);
        f("batch", self.batch);
        f("fit_step", self.fit_step);
        f("fit_epoch", self.fit_epoch);
        f("fit_epochs", self.fit_epochs);
        f("fit_budget", self.fit_budget);
        f("fit_seconds", self.fit_seconds);
        f("batches", self.batches);
        f("epoch_loss", self.epoch_loss);
        f("epoch_correct", self.epoch_correct);
        f("epoch_images", self.epoch_images);
        f("epoch_seconds", self.epoch_seconds);
        f("learning_rate", self.learning_rate);
    }

    void write(Metadata& metadata) const {
        for_each(*this, [&](const char* name, auto number) {
            if constexpr (std::is_same_v<decltype(number), double>)
                metadata[name] = exact_text(number);
            else
                metadata[name] = std::to_string(number);
        });
        metadata["fit_open"] = std::to_string(fit_open ? 1 : 0);
        if (skipped > 0) metadata["skipped"] = std::to_string(skipped);
    }

    /// Throws tenon::Error when a number is missing, not a number, or none that a training could have reached.
    static TrainerState read(const CheckpointFile& file) {
        TrainerState state;
        for_each(state, [&]<class Number>(const char* name, Number& number) { number = file.number<Number>(name); });
        state.fit_open = file.number<int>("fit_open") != 0;
        if (file.has_value("skipped")) state.skipped = file.number<long>("skipped");
        state.check(file.path());
        return state;
    }

    /// Throws tenon::Error for numbers that no training reaches, such as a negative step, so that what is computed of
    /// them stays in range.
    void check(const std::string& path) const {
        constexpr long max_steps = 1'000'000'000'000'000, max_epochs = 2'147'483'647;
        const auto fail = [&](const char* name, const std::string& value) {
            throw Error(path + ": no training has reached the '" + std::string(name) + "' in the checkpoint, " + value);
        };
        const auto expect = [&](const char* name, long value, long max) {
            if (value < 0 || value > max) fail(name, std::to_string(value));
        };
        expect("step", step, max_steps);
        expect("skipped", skipped, step);
        expect("epoch", epoch, max_epochs);
        expect("batches", batches, max_epochs);
        expect("batch", batch, batches);
        expect("fit_step", fit_step, step);
        expect("fit_epoch", fit_epoch, epoch);
        expect("fit_epochs", fit_epochs, max_epochs);
        expect("epoch_images", epoch_images, max_steps);
        expect("epoch_correct", epoch_correct, epoch_images);
        for (const auto& [name, value] : {std::pair{"fit_budget", fit_budget},
                                          {"fit_seconds", fit_seconds},
                                          {"epoch_seconds", epoch_seconds},
                                          {"learning_rate", learning_rate}})
            if (!(std::isfinite(value) && value >= 0)) fail(name, exact_text(value));
        if (!std::isfinite(epoch_loss)) fail("epoch_loss", exact_text(epoch_loss));
    }
};

/// The columns of a history as a table of doubles, one row per epoch.
inline constexpr std::size_t history_columns = 10;
/// A history as a table.
inline std::vector<double> history_table(const History& history) {
    std::vector<double> table;
    for (const EpochReport& e : history)
        table.insert(table.end(), {static_cast<double>(e.epoch), static_cast<double>(e.step),
                                   static_cast<double>(e.images), e.loss, e.accuracy, e.learning_rate, e.seconds,
                                   e.validation_loss, e.validation_accuracy, e.validation_top5});
    return table;
}
/// The history in a table; the inverse of history_table. Throws tenon::Error when a count is none.
inline History history_of(std::span<const double> table) {
    History history;
    for (std::size_t i = 0; i < table.size(); ++i)
        if (constexpr double max_count = 1e15; i % history_columns < 3 && !(table[i] >= 0 && table[i] <= max_count))
            throw Error("the history has " + exact_text(table[i]) + " where an epoch, a step or a number of images is");
    for (std::size_t i = 0; i + history_columns <= table.size(); i += history_columns) {
        const auto row = table.subspan(i, history_columns);
        history.push_back({std::lround(row[0]), std::lround(row[1]), std::lround(row[2]), row[3], row[4], row[5],
                           row[6], row[7], row[8], row[9]});
    }
    return history;
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::detail
