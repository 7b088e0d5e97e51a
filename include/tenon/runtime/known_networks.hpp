// Whose weights a file holds: fingerprints of the shipped networks, so that an error can say "they are a resnet18's".
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <tenon/core/isa.hpp>
#include <tenon/io/tensor_entry.hpp>

namespace tenon::detail {

/// A shipped network by the name that programs know it by, and the fingerprint of its weights.
struct KnownNetwork {
    std::string_view name;
    std::uint64_t fingerprint;
};

/// Made by the test examples.known_networks, which also says what has to be here when a network changes.
inline constexpr KnownNetwork known_networks[] = {
    {"fashion_mnist", 0xE6701D400994D8DE},
    {"cifar10", 0x71DCC67D45C90EF6},
    {"cifar_resnet20", 0x4E8026CE404E743F},
    {"cifar_resnet32", 0x2B47831058267A73},
    {"cifar_resnet44", 0x080EDF526FFE80A7},
    {"cifar_resnet56", 0xE4D63B9487D686DB},
    {"cifar_resnet110", 0x46575ABDF322A2C5},
    {"cifar_resnet20v2", 0x4E7FA6CE404BD5BF},
    {"cifar_resnet32v2", 0x2B4703105823DBF3},
    {"cifar_resnet44v2", 0x080E5F526FFBE227},
    {"cifar_resnet56v2", 0xE4D5BB9487D3E85B},
    {"cifar_resnet110v2", 0x4656DABDF3200445},
    {"wide_resnet16_1", 0x38D913A9B2D201F4},
    {"wide_resnet16_4", 0x4FF1356414236FD4},
    {"wide_resnet28_10", 0xC4681F6B0DCC295F},
    {"resnet50v2", 0x8F4929CA4D5ADE55},
    {"resnet101v2", 0xEE1A0ED4F67D24D8},
    {"resnet152v2", 0x2F7B9A4888BC246B},
    {"resnet18", 0x6D16EBE77FF3BB13},
    {"resnet34", 0x4805580E8D76B92D},
    {"resnet50", 0x7444D5AD79899D21},
    {"resnet101", 0x908395B90FAF797E},
    {"resnet152", 0x5E8AFC09E166CA63},
    {"wide_resnet50_2", 0xB795BBDCE05C9112},
    {"resnext50_32x4d", 0x3AAB1731EAADF1AB},
    {"timm_resnetv2_18", 0x7178DD7809095C6D},
    {"timm_resnetv2_34", 0x9EBB5AC9FF5B1301},
    {"timm_resnetv2_50", 0xAD61AD84D4BD7E77},
    {"timm_resnetv2_101", 0x04A4054103468D77},
    {"mxnet_resnet18v2", 0xB1CFAA4A2396AE76},
    {"mxnet_resnet50v2", 0x05A24716848562A1},
    {"keras_resnet50", 0x500E7CF75F1BA1D8},
    {"keras_resnet101", 0xDA044F51823A51D4},
    {"keras_resnet152", 0xD0BE21AC30DD65D0},
    {"keras_resnet50v2", 0xCD735C17FAA5A277},
    {"keras_resnet101v2", 0x72F1E687FB2A30BF},
    {"keras_resnet152v2", 0x859070F889073F07},
    {"keras_cifar_resnet20", 0x5E03563074E389C0},
    {"keras_cifar_resnet32", 0x49D7F0D19CF06F4C},
    {"keras_cifar_resnet44", 0x35AC8B72C4FD54D8},
    {"keras_cifar_resnet56", 0x21812613ED0A3A64},
    {"keras_cifar_resnet110", 0xC6BDDDE92144435A},
    {"keras_cifar_resnet20v2", 0xC54F06D72DB76A3C},
    {"keras_cifar_resnet56v2", 0x9B5B0756E173D544},
    {"keras_cifar_resnet110v2", 0x5C6D08166F0E75D0},
    {"mlperf_tiny_resnet8", 0x722EBB8F4CD6A434},
};

inline namespace TENON_ISA_NAMESPACE {

/// A sum over the names and shapes of tensors, so their order doesn't count. Names count without their numbers:
/// libraries that number layers begin anywhere (`conv2d_7`), and equal layers of two networks still differ in how many
/// there are. The classifier is left out, as a network keeps its name when it is trained for other classes.
struct WeightsFingerprint {
    std::uint64_t sum = 0;
    std::int64_t classes = 0;  ///< the length of the classifier's bias; 0: there is none

    [[gnu::cold]] void add(std::string_view name, std::span<const std::int64_t> shape) {
        if (name.ends_with(".num_batches_tracked")) return;
        if (name.ends_with(":0")) name.remove_suffix(2);
        for (const std::string_view word : {"fc", "linear", "dense", "predictions"})
            if (name.find(word) != name.npos) {
                if (shape.size() == 1) classes = shape[0];
                return;
            }
        std::uint64_t hash = 0xCBF29CE484222325;  // FNV-1a
        const auto mix = [&](std::uint64_t part) { hash = (hash ^ part) * 0x100000001B3; };
        bool after_underscore = false;  // which counts only if no number follows: conv2d_7 is conv2d with a number
        for (const char c : name) {
            const bool is_digit = c >= '0' && c <= '9';
            if (after_underscore && !is_digit) mix('_');
            after_underscore = c == '_';
            if (!is_digit && !after_underscore) mix(static_cast<unsigned char>(c));
        }
        for (const std::int64_t size : shape) mix(static_cast<std::uint64_t>(size) + 256);
        sum += hash ^ hash >> 32;
    }
};

/// `; they are a resnet18's`, or what else the tensors fit but for the number of classes; empty if they fit no shipped
/// network.
[[gnu::cold]] inline std::string whose_weights(std::span<const TensorEntry> tensors) {
    WeightsFingerprint fingerprint;
    for (const TensorEntry& tensor : tensors) fingerprint.add(tensor.name, tensor.shape);
    std::string text;
    for (const KnownNetwork& network : known_networks) {
        if (network.fingerprint != fingerprint.sum) continue;
        text.append(text.empty() ? "; they are a" : " or a").append(network.name.starts_with('m') ? "n " : " ");
        text.append(network.name).append("'s");
    }
    if (text.empty()) return text;
    if (fingerprint.classes <= 0) return text.append(" without a classifier");
    return text.append(" of ").append(std::to_string(fingerprint.classes)).append(" classes");
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::detail
