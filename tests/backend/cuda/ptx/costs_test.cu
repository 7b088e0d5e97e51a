// What the product kernels cost per product of the tensor cores, in instructions of PTX and in accesses to the banks of
// shared memory: bounds, so that what was gained is not lost.
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include <tenon/backend/cuda/kernels/conv.hpp>
#include <tenon/backend/cuda/kernels/conv_choice.hpp>
#include <tenon/backend/cuda/training/norm.hpp>
#include <tenon/backend/cuda/training/weight_gradient.hpp>

#include "../kernel_runner.hpp"
#include "runtime.hpp"

namespace {

using namespace tenon;

/// Sums over a kernel's instructions.
struct Costs {
    double instructions = 0, products = 0;
    double requests = 0, wavefronts = 0;                    ///< of ldmatrix and of copies to shared memory
    double epilogue_requests = 0, epilogue_wavefronts = 0;  ///< of other accesses to shared memory
};

Costs costs_of(const std::string& name) {
    Costs sum;
    for (const ptx::Kernel* kernel : ptx::runtime_kernels()) {
        if (kernel->name.find(name) == std::string::npos) continue;
        for (std::size_t i = 0; i < kernel->code.size(); ++i) {
            const ptx::Cost& cost = kernel->costs[i];
            const std::string& text = kernel->text[i];
            sum.instructions += static_cast<double>(cost.runs);
            if (text.starts_with("mma.")) sum.products += static_cast<double>(cost.runs);
            const bool main = text.starts_with("ldmatrix") || text.starts_with("cp.async");
            (main ? sum.requests : sum.epilogue_requests) += static_cast<double>(cost.requests);
            (main ? sum.wavefronts : sum.epilogue_wavefronts) += static_cast<double>(cost.wavefronts);
        }
    }
    return sum;
}

/// A convolution of one block.
template <int Tile, int Vector>
void convolve(int channels, int kernel) {
    constexpr cuda::ConvSpec spec = cuda::conv_spec(Precision::bfloat16, Tile, Vector, 8);
    using Kernel = cuda::ConvKernel<spec>;
    tenon_test::KernelRunner runner;
    const std::vector<cuda::BFloat16> source(static_cast<std::size_t>(spec.tile_pixels * channels));
    const std::vector<cuda::BFloat16> weights(static_cast<std::size_t>(spec.tile_outputs * channels * kernel * kernel));
    cuda::ConvArguments arguments{};
    cuda::ConvTermArguments& term = arguments.terms[0];
    term.source = runner.put(source);
    term.weights = runner.put(weights);
    term.channels = term.group_channels = channels;
    term.height = arguments.height = 8;
    term.width = arguments.width = spec.tile_pixels / 8;
    term.kernel_height = term.kernel_width = kernel;
    term.top = term.left = kernel / 2;
    term.depth = channels * kernel * kernel;
    arguments.pixels = spec.tile_pixels;
    arguments.group_outputs = arguments.epilogue.channels = spec.tile_outputs;
    arguments.epilogue.target =
        runner.room<cuda::BFloat16>(static_cast<std::size_t>(spec.tile_pixels * spec.tile_outputs));
    runner.run<Kernel>(Kernel::grid(arguments), arguments);
}

/// Instructions per product: what more tiles of the depth cost.
template <int Tile, int Vector>
double instructions_per_product(const std::string& name, int channels, int kernel) {
    const Costs before = costs_of(name);
    convolve<Tile, Vector>(channels, kernel);
    const Costs half = costs_of(name);
    convolve<Tile, Vector>(2 * channels, kernel);
    const Costs all = costs_of(name);
    return ((all.instructions - half.instructions) - (half.instructions - before.instructions)) /
           ((all.products - half.products) - (half.products - before.products));
}

/// Instructions of a stem, 7 x 7 of stride 2 over pixels of four numbers, for 64 pixels and 64 outputs: tap by tap, or
/// row by row of an image with a border (ImageBorder).
template <int Vector>
double instructions_of_stem(const std::string& name) {
    constexpr bool has_border = Vector == 8;
    constexpr cuda::ConvSpec spec = cuda::conv_spec(Precision::bfloat16, 1, Vector, 8);
    using Kernel = cuda::ConvKernel<spec>;
    tenon_test::KernelRunner runner;
    cuda::ConvArguments arguments{};
    cuda::ConvTermArguments& term = arguments.terms[0];
    arguments.height = arguments.width = 8;
    term.stride_height = 2;
    term.kernel_height = 7;
    if (has_border) {
        term.channels = 8;
        term.group_channels = 32;
        term.height = 21;
        term.width = 11;
    } else {
        term.channels = term.group_channels = 4;
        term.height = term.width = 16;
        term.kernel_width = 7;
        term.stride_width = 2;
        term.top = term.left = 3;
    }
    term.depth = 7 * term.kernel_width * term.group_channels;
    term.source =
        runner.put(std::vector<cuda::BFloat16>(static_cast<std::size_t>(term.height * term.width * term.channels)));
    term.weights = runner.put(std::vector<cuda::BFloat16>(static_cast<std::size_t>(64 * term.depth)));
    arguments.pixels = arguments.group_outputs = arguments.epilogue.channels = 64;
    arguments.epilogue.target = runner.room<cuda::BFloat16>(64 * 64);
    const double before = costs_of(name).instructions;
    runner.run<Kernel>(Kernel::grid(arguments), arguments);
    return costs_of(name).instructions - before;
}

/// Instructions of the gradient of a stem's weights over 64 pixels, for 64 outputs, in both ways.
template <int Vector>
double instructions_of_stem_gradient(const std::string& name) {
    constexpr bool has_border = Vector == 8;
    using Kernel = cuda::WeightGradientKernel<cuda::weight_gradient_spec(Precision::bfloat16, 1, Vector, 8)>;
    tenon_test::KernelRunner runner;
    cuda::WeightGradientArguments arguments{};
    arguments.result_height = arguments.result_width = 8;
    arguments.stride_height = 2;
    if (has_border) {
        arguments.channels = 8;
        arguments.group_channels = 32;
        arguments.height = 21;
        arguments.width = 11;
        arguments.layout = {.row = 32, .row_taps = 7, .channels = 4, .inputs = 3, .taps = 49};
    } else {
        arguments.channels = arguments.group_channels = 4;
        arguments.height = arguments.width = 16;
        arguments.kernel_width = 7;
        arguments.stride_width = 2;
        arguments.top = arguments.left = 3;
        arguments.layout = {.row = 4, .channels = 4, .inputs = 3, .taps = 49};
    }
    arguments.columns = 7 * arguments.kernel_width * arguments.group_channels;
    arguments.pixels = arguments.group_outputs = 64;
    const int source = arguments.height * arguments.width * arguments.channels;
    arguments.source = runner.put(std::vector<cuda::BFloat16>(static_cast<std::size_t>(source)));
    arguments.gradient = runner.put(std::vector<cuda::BFloat16>(64 * 64));
    arguments.partials = runner.room<float>(static_cast<std::size_t>(64 * arguments.columns));
    arguments.weights = runner.room<float>(64 * 3 * 49);
    const double before = costs_of(name).instructions;
    runner.run<Kernel>(Kernel::grid(arguments), arguments);
    return costs_of(name).instructions - before;
}

TEST_CASE("costs: the gradient of a stem's weights") {
    const std::string kernel = "WeightGradientSpecELNS_9PrecisionE2ELi64ELi64ELi32ELi32ELi3ELi64ELi";
    const double taps = instructions_of_stem_gradient<4>(kernel + "4ELi8"),
                 rows = instructions_of_stem_gradient<8>(kernel + "8ELi8");
    MESSAGE("instructions of PTX for 64 pixels of the stem's gradient: tap by tap " << taps << ", row by row " << rows);
    CHECK(rows < taps);
}

TEST_CASE("costs: the stem of a network that reads images with a border") {
    const std::string kernel = "ConvSpecELNS_9PrecisionE2ELi64ELi64ELi32ELi32ELi4ELi64ELi";
    const double taps = instructions_of_stem<4>(kernel + "4ELi8"), rows = instructions_of_stem<8>(kernel + "8ELi8");
    MESSAGE("instructions of PTX for 64 pixels of the stem: tap by tap " << taps << ", row by row " << rows);
    CHECK(rows < 0.75 * taps);
}

TEST_CASE("costs: instructions of the main loop per product, and conflicts of the banks") {
    const std::string large = "ConvSpecELNS_9PrecisionE2ELi128ELi128ELi64ELi32ELi4ELi64ELi8ELi8",
                      medium = "ConvSpecELNS_9PrecisionE2ELi64ELi64ELi32ELi32ELi4ELi64ELi8ELi8";
    ptx::count_banks(true);
    const double plain = instructions_per_product<0, 8>(large, 512, 1);
    const double window = instructions_per_product<0, 8>(large, 64, 3);
    const double small = instructions_per_product<1, 8>(medium, 512, 1);
    ptx::count_banks(false);
    const Costs costs = costs_of(large);
    const double main = costs.wavefronts / costs.requests;
    const double epilogue = costs.epilogue_wavefronts / costs.epilogue_requests;
    MESSAGE("instructions of PTX per mma: 128 x 128, 1x1: " << plain << "; 3x3: " << window
                                                            << "; 64 x 64, 1x1: " << small);
    MESSAGE("wavefronts per access to shared memory: " << main << "; in the epilogue: " << epilogue);
    // 32 products of a warp and tile of the depth take 12 loads of matrices and 4 copies; 6.8 and 11.4 before the
    // loader moved addresses instead of computing them.
    CHECK(plain < 4);
    CHECK(window < 4);
    CHECK(small < 6.5);
    // 512 bytes are four wavefronts at least, 256 two. Copies to rows of 80 bytes take twice as many, and so do the
    // epilogue's loads of 32 bytes a lane; its stores don't.
    CHECK(main <= 5);
    CHECK(epilogue <= 4);
}

/// Statistics of 32 channels, all pixels alike but for their number.
void find_statistics(long pixels, int chunks) {
    tenon_test::KernelRunner runner;
    cuda::ChannelChunks cut{pixels, 32, 4};
    cut.chunks = chunks;
    std::vector<float> source(static_cast<std::size_t>(pixels * 32));
    for (std::size_t i = 0; i < source.size(); ++i) source[i] = static_cast<float>(100 + i / 32 % 7);
    using First = cuda::StatisticsKernel<float, 4>;
    First::Arguments first{};
    first.chunks = cut;
    first.partials = runner.room<float>(static_cast<std::size_t>(2 * chunks * 32));
    first.source = runner.put(source);
    runner.run<First>(cut.grid(4), first);
    using Merge = cuda::MergeStatisticsKernel;
    Merge::Arguments merge{};
    merge.chunks = cut;
    merge.partials = first.partials;
    merge.epilogue.channels = 32;
    merge.epilogue.momentum = 1;
    merge.epilogue.epsilon = 1e-5;
    merge.epilogue.derived = runner.room<float>(static_cast<std::size_t>(cuda::NormNumbers::count * 32));
    merge.epilogue.running_mean = runner.put(std::vector<float>(32, 0.0f));
    merge.epilogue.running_variance = runner.put(std::vector<float>(32, 0.0f));
    runner.run<Merge>(Merge::grid(merge), merge);
    double mean = 0, squares = 0;
    for (std::size_t i = 0; i < source.size(); i += 32)
        mean += static_cast<double>(source[i]) / static_cast<double>(pixels);
    for (std::size_t i = 0; i < source.size(); i += 32)
        squares += (static_cast<double>(source[i]) - mean) * (static_cast<double>(source[i]) - mean);
    CHECK(runner.get(merge.epilogue.running_mean, 32)[31] == doctest::Approx(mean).epsilon(1e-7));
    CHECK(runner.get(merge.epilogue.running_variance, 32)[31] ==
          doctest::Approx(squares / static_cast<double>(pixels - 1)).epsilon(1e-6));
}

TEST_CASE("costs: statistics of batch norms") {
    const auto cost = [](const char* name) { return costs_of(name).instructions; };
    find_statistics(4096, 8);
    const double merges = cost("MergeStatisticsKernel");
    find_statistics(4096, 256);
    const double per_chunk = ((cost("MergeStatisticsKernel") - merges) - merges) / (256 - 8);
    MESSAGE("instructions of PTX per chunk of a batch norm's statistics: " << per_chunk);
    CHECK(per_chunk < 30);
}

}  // namespace
