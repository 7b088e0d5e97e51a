// precision: a network's accuracy and speed in floats, in bfloat16 and in 8-bit integers, for `scripts/bench
// precision`.
//
// Calibrated on 512 training images, evaluated on images that neither training nor calibration saw: the 10,000 test
// images of Fashion-MNIST and, with `--cifar FOLDER` (binary batches), the 5,000 of CIFAR-10 that train_cifar10 holds
// out. Times are those of the listing's ResNet50V2 with one image, the precisions in turns.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include <tenon/data/archives/fashion_mnist.hpp>
#include <tenon/data/datasets/cifar.hpp>
#include <tenon/data/loader.hpp>
#include <tenon/data/split.hpp>
#include <tenon/engine/cpu_with.hpp>
#include <tenon/models/cifar10_resnet.hpp>
#include <tenon/models/fashion_mnist.hpp>
#include <tenon/models/resnet_v2.hpp>
#include <tenon/runtime/model.hpp>

namespace {

using namespace tenon;
using Integers = CpuWith<Precision::int8>;

template <class Net>
using IntegerModel = Model<Net, Integers>;
template <class Net>
using HalfModel = Model<Net, CpuWith<Precision::bfloat16>>;

template <class Logits>
int answer(const Logits& logits) {
    return static_cast<int>(std::ranges::max_element(logits) - logits.begin());
}

/// A line of the table: right answers in each precision, and how many are those of floats.
template <class Net>
void evaluate(const char* title, const std::string& weights, const ImageDataset& training, const ImageDataset& test,
              const Normalize& normalize) {
    Parameters<Net> parameters{weights};
    Integers::Calibrator<Net> calibrator{Parameters<Net>{weights}};
    Loader samples{training, Pipeline{normalize}, LoaderOptions{.batch_size = 64, .shuffle = true, .seed = 1}};
    for (long i = 0; i < 512 / 64; ++i) calibrator.add(samples.batch(0, i).images);
    Model<Net> floats;
    HalfModel<Net> halves;
    IntegerModel<Net> integers;
    floats.set_parameters(parameters);
    halves.set_parameters(parameters);
    integers.set_parameters(parameters, calibrator.input_ranges());
    long count = 0, right_floats = 0, right[2]{}, same[2]{};
    Loader batches{test, Pipeline{normalize}, LoaderOptions{.batch_size = 100, .shuffle = false}};
    for (long index = 0; index < batches.batches(); ++index) {
        const auto batch = batches.batch(0, index);
        const auto expected = floats(batch.images), of_halves = halves(batch.images),
                   of_integers = integers(batch.images);
        constexpr std::size_t classes = static_cast<std::size_t>(output_shape<Net>.elements());
        for (std::size_t i = 0; i < batch.labels.size(); ++i, ++count) {
            const int of_floats = answer(expected.subspan(i * classes, classes));
            right_floats += of_floats == batch.labels[i];
            for (int k = 0; k < 2; ++k) {
                const int other = answer((k == 0 ? of_halves : of_integers).subspan(i * classes, classes));
                right[k] += other == batch.labels[i];
                same[k] += other == of_floats;
            }
        }
    }
    const auto percent = [&](long part) { return 100.0 * static_cast<double>(part) / static_cast<double>(count); };
    std::printf("| %s, %ld images | %.2f | %.2f (%.2f) | %.2f (%.2f) |\n", title, count, percent(right_floats),
                percent(right[0]), percent(same[0]), percent(right[1]), percent(same[1]));
}

template <class M>
double milliseconds(M& model, const std::vector<float>& image) {
    const auto start = std::chrono::steady_clock::now();
    model(image);
    return 1e3 * std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

void time_all(int threads, int rounds) {
    using Net = ResNet50V2<Classes<1000>>;
    Parameters<Net> parameters, copy;
    parameters.seed(3);
    copy.seed(3);
    std::vector<float> image(static_cast<std::size_t>(input_shape<Net>.elements()));
    for (std::size_t i = 0; i < image.size(); ++i)
        image[i] = static_cast<float>(detail::uniform(detail::random_bits(1, 7, i), -1, 1));
    Integers::Calibrator<Net> calibrator{std::move(copy), threads};
    calibrator.add(image);
    Model<Net> floats{{.threads = threads}};
    HalfModel<Net> halves{{.threads = threads}};
    IntegerModel<Net> integers{{.threads = threads}};
    floats.set_parameters(parameters);
    halves.set_parameters(parameters);
    integers.set_parameters(parameters, calibrator.input_ranges());
    std::vector<double> in_floats, in_halves, in_integers;
    for (int round = 0; round < rounds; ++round)
        for (int i = 0; i < 3; ++i) {
            const auto time = [&](auto& model, std::vector<double>& times) {
                if (i == 0) milliseconds(model, image);
                times.push_back(milliseconds(model, image));
            };
            time(floats, in_floats);
            time(halves, in_halves);
            time(integers, in_integers);
        }
    for (std::vector<double>* const times : {&in_floats, &in_halves, &in_integers}) std::ranges::sort(*times);
    const std::size_t middle = in_floats.size() / 2;
    std::printf("| %d | %.2f (%.2f) | %.2f (%.2f) | %.2f (%.2f) | %.2f | %.2f |\n", threads, in_floats[middle],
                in_floats[0], in_halves[middle], in_halves[0], in_integers[middle], in_integers[0],
                in_halves[middle] / in_floats[middle], in_integers[middle] / in_floats[middle]);
}

}  // namespace

int main(int argc, char** argv) {
    std::string cifar;
    for (int i = 1; i < argc; ++i) {
        if (std::string_view(argv[i]) == "--cifar" && i + 1 < argc) {
            cifar = argv[++i];
        } else {
            std::fprintf(stderr, "precision: expected nothing but --cifar FOLDER, found %s\n", argv[i]);
            return 2;
        }
    }
    try {
        const std::string weights = TENON_SOURCE_DIR "/examples/data/";
        std::printf(
            "| top-1, %% | float32 | bfloat16 (same answer) | int8 (same answer) |\n| --- | ---: | ---: | ---: |\n");
        evaluate<FashionMnistResNet>("Fashion-MNIST, test", weights + "fashion_mnist.safetensors",
                                     read_fashion_mnist(Subset::training), read_fashion_mnist(Subset::test),
                                     Normalize{fashion_mnist_mean, fashion_mnist_deviation});
        if (cifar.empty()) {
            std::fprintf(stderr, "SKIPPED: CIFAR-10; give the folder of its binary batches with --cifar FOLDER.\n");
        } else {
            const auto [training, held_out] = split(read_cifar10(Subset::training, cifar), 5000);
            evaluate<Cifar10ResNet>("CIFAR-10, held out", weights + "cifar10.safetensors", training, held_out,
                                    Normalize{cifar10_mean, cifar10_deviation});
        }
        std::printf(
            "\n| ResNet50V2, threads | float32 ms (fastest) | bfloat16 ms (fastest) | int8 ms (fastest) | ratio of "
            "bfloat16 | "
            "of int8 |\n| ---: | ---: | ---: | ---: | ---: | ---: |\n");
        for (const int threads : {1, 2}) time_all(threads, 20);
    } catch (const Error& error) {
        std::fprintf(stderr, "precision: %s\n", error.what());
        return 2;
    }
}
