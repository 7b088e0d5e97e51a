// The variants that He et al. 2016 compare, with the paper's numbers, and the training of one of them.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

#include <tenon/data.hpp>

/// Blocks in each of the three stages: the networks have 6 * blocks + 2 layers. The paper's have 18, ResNet-110.
#ifndef TENON_ABLATION_BLOCKS
#define TENON_ABLATION_BLOCKS 3
#endif
inline constexpr int blocks_per_stage = TENON_ABLATION_BLOCKS;
inline constexpr int network_layers = 6 * blocks_per_stage + 2;

/// The budget of every variant, and what else must be equal for comparable results.
struct Budget {
    int epochs = 10;
    double minutes = 0;  ///< of wall-clock time per run; 0: as long as the epochs take
    long steps = 0;      ///< after which a run stops; 0: none
    int batch_size = 128;
    double rate = 0.1;
    double decay = 1e-4;
    double gate_bias = -6;  ///< initial bias of gates
};

/// The options of one run.
struct RunOptions {
    Budget budget;
    std::uint64_t seed = 1;
    int threads = 0;
    std::string checkpoint;  ///< the file; a run that finds one resumes from it
    double checkpoint_minutes = 5;
    bool quiet = false;   ///< no progress on the standard output
    std::string command;  ///< that resumes a run that a signal stopped
};

/// The images that all variants see.
struct Images {
    tenon::ImageDataset training, test;
    std::string test_name;
};

/// A network of one kind of block.
struct Variant {
    std::string_view name;       ///< on the command line
    std::string_view title;      ///< in the tables
    std::string_view shortcut;   ///< its figure among the shortcuts, "2a" to "2f"; empty: none
    std::string_view placement;  ///< its figure among the placements of the activation, "4a" to "4e"; empty: none
    std::string_view paper_110;  ///< the paper's error in percent: ResNet-110
    std::string_view paper_164;  ///< ResNet-164; empty: not in the paper
    /// Trains it and returns the error in percent with details, or why there is none. Nothing when a signal stopped it.
    std::optional<nlohmann::ordered_json> (*run)(const Images&, const RunOptions&);
};

/// In the order of the paper. The original is in both figures and is one network.
std::span<const Variant> variants();
