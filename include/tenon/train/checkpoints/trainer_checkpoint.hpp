#pragma once
// IWYU pragma: private, include <tenon/training.hpp>

// The checkpoint of a trainer: what is in it, and how it is restored completely or not at all.

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <tenon/core/index.hpp>
#include <tenon/distributed/agreement.hpp>
#include <tenon/io/read_weights_info.hpp>
#include <tenon/train/checkpoints/checkpoint.hpp>
#include <tenon/train/fit_progress.hpp>
#include <tenon/train/testing/diagnose_undefined.hpp>
#include <tenon/weights/parameters.hpp>

namespace tenon::detail {
inline namespace TENON_ISA_NAMESPACE {

/// The parts of a trainer that a checkpoint is made of and restored to; refers to them.
template <class Net>
struct TrainerCheckpoint {
    Metadata settings;                                             ///< what checkpoint and trainer must agree in
    std::vector<std::pair<std::string, std::span<float>>> arenas;  ///< parameters first, then slots and average
    std::optional<Parameters<Net>>& kept;                          ///< weights that a callback keeps (keep_weights)
    FitProgress& progress;
    std::optional<LossScale> loss_scale{};  ///< of a trainer that scales its loss

    /// Which file was read, and the scale of the loss in it.
    struct Found {
        Restored restored;
        std::optional<LossScale> loss_scale;
    };

    /// Throws tenon::Error when it can't be written, when a parameter, a running statistic or an average is infinite or
    /// NaN, or when a slot of the optimizer is NaN; then the earlier checkpoint survives.
    void write(const std::string& path, const Parameters<Net>& parameters) const {
        if (const std::string where = undefined_part(parameters); !where.empty())
            throw Error(path + ": no checkpoint was written: " + where + " is undefined after step " +
                        std::to_string(progress.state().step));
        Metadata metadata = settings;
        progress.current_state().write(metadata);
        metadata["schedule"] = progress.schedule();
        if (loss_scale) {
            metadata["loss_scale"] = exact_text(double{loss_scale->scale});
            metadata["loss_scale_good_steps"] = std::to_string(loss_scale->good_steps);
        }
        const std::vector<double> table = history_table(progress.history());
        const auto rows = static_cast<std::int64_t>(progress.history().size());
        std::vector<TensorEntry> tensors{
            make_tensor_entry<double>("history", {rows, static_cast<std::int64_t>(history_columns)}, std::span(table))};
        for (const auto& [name, values] : arenas)
            tensors.push_back(make_tensor_entry<float>(name, {state_count<Net>}, std::span<const float>(values)));
        if (kept) tensors.push_back(make_tensor_entry<float>("kept", {state_count<Net>}, kept->values()));
        write_checkpoint(path, tensors, metadata);
    }

    /// Restores the checkpoint at `path`, or the previous one if that is allowed. Throws tenon::Error, saying what was
    /// expected and found, for a checkpoint of another network, format or options, and for a damaged file; then nothing
    /// is changed.
    Found read(const std::string& path, RestoreOptions options) {
        try {
            return {{path, {}}, read_file(path)};
        } catch (const Error& error) {
            const std::string previous = previous_checkpoint(path);
            if (!std::filesystem::exists(previous)) throw;
            if (!options.fall_back)
                throw Error(std::string(error.what()) + "; the previous checkpoint is at " + previous);
            return {{previous, error.what()}, read_file(previous)};
        }
    }

    /// Gives all ranks what read() gave rank 0, or what it threw. Called by all ranks.
    Restored share(distributed::World world, Restored restored, std::string error) {
        broadcast_text(world, error);
        if (!error.empty()) throw Error(error);
        broadcast_text(world, restored.path);
        broadcast_text(world, restored.problem);
        for (const auto& [name, values] : arenas) world.broadcast(values);
        bool has_kept = kept.has_value();
        world.broadcast(std::span(&has_kept, 1));
        if (!has_kept) kept.reset();
        if (has_kept && !kept) kept.emplace();
        if (has_kept) world.broadcast(kept->values());
        TrainerState state = progress.state();
        world.broadcast(std::span(&state, 1));
        std::string schedule = progress.schedule();
        broadcast_text(world, schedule);
        std::vector<double> table = history_table(progress.history());
        std::size_t size = table.size();
        world.broadcast(std::span(&size, 1));
        table.resize(size);
        world.broadcast(std::span(table));
        progress.restore(state, schedule, history_of(table));
        return restored;
    }

private:
    /// What of the state is infinite or NaN; empty if nothing is. A slot may be infinite: AdamW's second moment of a
    /// gradient whose square overflows.
    std::string undefined_part(const Parameters<Net>& parameters) const {
        if (std::string name = undefined_state<Net>(parameters); !name.empty()) return name;
        for (const auto& [name, values] : arenas) {
            const bool is_slot = name.starts_with("slot");
            if (std::ranges::any_of(values, [&](float v) { return is_slot ? std::isnan(v) : !std::isfinite(v); }))
                return "a value of the " + name;
        }
        return kept && !undefined_state<Net>(*kept).empty() ? "a value of the weights that were kept" : std::string();
    }

    static std::string other_setting(const std::string& key, const std::string& found, const std::string& expected) {
        if (key == "network")
            return "the checkpoint belongs to another network: its fingerprint is " + found + ", not " + expected;
        if (key == "precision")
            return "the checkpoint was made in " + found + ", this trainer computes in " + expected +
                   "; weights that were saved on their own fit both";
        return "the checkpoint was made with " + key + " '" + found + "', this trainer has '" + expected + "'";
    }

    /// Nothing for checkpoints of trainers that scale no loss, and of versions of tenon that did not save a scale.
    static std::optional<LossScale> read_loss_scale(const CheckpointFile& file) {
        if (!file.has_value("loss_scale")) return std::nullopt;
        const auto scale = file.number<double>("loss_scale");
        if (!(scale > 0 && scale <= 0x1p127))
            throw Error(file.path() + ": expected a positive loss scale, found '" + file.value("loss_scale") + "'");
        return LossScale{static_cast<float>(scale), file.number<int>("loss_scale_good_steps"), 0};
    }

    /// Restores the checkpoint at `path` and returns its loss scale.
    std::optional<LossScale> read_file(const std::string& path) {
        const CheckpointFile file{path};
        for (const auto& [key, expected] : settings) {
            if (key == "preprocessing" && !file.has_value(key)) continue;  // its trainer was not told
            // Versions of tenon whose trainers did not divide batches, or had one precision, wrote nothing of it.
            const bool is_precision = key == "precision";
            const bool is_old = (key == "shards" || key == "accumulate" || is_precision) && !file.has_value(key);
            const char* const usual = is_precision ? "float32" : "1";
            if (const std::string found = is_old ? usual : file.value(key); !is_same_text(found, expected))
                throw Error(path + ": " + other_setting(key, found, expected));
        }
        const TrainerState state = TrainerState::read(file);
        const std::optional<LossScale> scale = read_loss_scale(file);
        constexpr auto size = index(state_count<Net>);
        for (const auto& [name, values] : arenas) file.tensor<float>(name, size);
        const TensorEntry* const weights = file.find("kept") ? &file.tensor<float>("kept", size) : nullptr;
        const TensorEntry* const history = file.find("history");
        if (!history || history->dtype != DType::f64 || history->bytes.size() % (8 * history_columns) != 0)
            throw Error(path + ": the checkpoint has no history, or one in another format");
        std::vector<double> table(history->bytes.size() / 8);
        read_elements<double>(*history, table);
        History epochs = naming_file(path, [&] { return history_of(table); });

        // From here on, only a lack of memory can throw.
        for (const auto& [name, values] : arenas) read_elements<float>(file.tensor<float>(name, size), values);
        kept.reset();
        if (weights) read_elements<float>(*weights, kept.emplace().values());
        progress.restore(state, file.value("schedule"), std::move(epochs));
        return scale;
    }
};

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::detail
