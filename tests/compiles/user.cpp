// A user's program: data, training with all that a fit can report, a checkpoint, inference, files and reports, and,
// where TENON_USER_IMAGES is defined, photos. The checks of warnings compile it; where it is run, it trains two epochs
// on noise and says whether the checkpoint came back.
#include <algorithm>
#include <cstdio>
#include <filesystem>

#include <tenon/tenon.hpp>
#if defined(TENON_USER_IMAGES)
#include <tenon/data/archives/fashion_mnist.hpp>
#include <tenon/data/archives/image_folder.hpp>
#include <tenon/image/codecs/decode.hpp>
#include <tenon/image/network_preprocessing.hpp>
#endif

namespace {

using namespace tenon;

/// Layers of every kind that has kernels of its own.
struct Net
    : Network<Input<3, 16, 16>, Conv<32, Kernel<3>, Padding<1>>, BatchNorm, ReLU, MaxPool<Kernel<2>>, Stack<32, 2>,
              Residual<Sequential<Conv<128, Kernel<3>, Padding<1>, Groups<128>>, BatchNorm, Sigmoid>, Identity, ReLU>,
              Conv<48, Kernel<3>, Stride<2>, Padding<1>, Bias>, Dropout<Rate<1, 10>>,
              Product<Identity, Sequential<Conv<48, Bias>, Sigmoid>>, AvgPool<Kernel<2>>, GlobalAvgPool, Linear<10>> {
    static constexpr ImageConvention images = ImageConvention::cifar;
};

ImageDataset noise() {
    ImageDataset images{.shape = {3, 16, 16}, .images = std::vector<std::uint8_t>(16 * 3 * 16 * 16), .labels = {}};
    for (std::uint8_t& sample : images.images)
        sample = static_cast<std::uint8_t>(37 * (&sample - images.images.data()));
    for (int i = 0; i < 16; ++i) images.labels.push_back(i % 10);
    return images;
}

void train(Trainer<Net>& trainer, const ImageDataset& images, const std::string& folder) {
    const auto [train, held_out] = split(images, 4);
    const Pipeline augmented{RandomResizedCrop{16, 16}, PadCrop{2}, RandomFlip{}, Cutout{4},
                             Normalize{cifar10_mean, cifar10_deviation}};
    Loader batches{train, augmented, {.batch_size = 4, .seed = 1}, MixUp{.alpha = 0.2, .classes = 10}};
    Loader validation{
        held_out, Pipeline{Normalize{cifar10_mean, cifar10_deviation}}, {.batch_size = 4, .shuffle = false}};
    ProgressBar progress;
    CsvLog csv{folder + "/log.csv"};
    JsonlLog json{folder + "/log.jsonl"};
    BestWeights best{folder + "/best.safetensors"};
    EarlyStop stop{{.patience = 5}};
    PeriodicCheckpoint checkpoints{folder + "/run.checkpoint"};
    trainer.fit(batches, validation,
                {.epochs = 2,
                 .schedule = schedules::warm_up(Duration::epochs(1)) * schedules::cosine(),
                 .callbacks = {&progress, &csv, &json, &best, &stop, &checkpoints}});
    std::puts(curves_svg(trainer.history()).c_str());
    const std::vector<std::string> names(cifar10_classes.begin(), cifar10_classes.end());
    std::puts(confusion_svg(trainer.evaluate(validation).confusion, names).c_str());
}

void report(Model<Net>& model, std::span<const float> images) {
    std::puts(summary<Net>().c_str());
    std::puts(to_dot<Net>().c_str());
    const std::vector<StepProfile> steps = profile(model, images, 1);
    std::puts(to_string(std::span<const StepProfile>(steps)).c_str());
}

#if defined(TENON_USER_IMAGES)
int classify(Model<Net>& model, const std::string& path) {
    const std::vector<float> input = preprocess(read_image(path), preprocessing_of<Net>);
    const std::span<const float> logits = model(input);
    return static_cast<int>(std::max_element(logits.begin(), logits.end()) - logits.begin());
}

std::size_t read_all(const std::string& folder) {
    return read_image_folder(list_image_folder(folder)).size() + read_fashion_mnist(Subset::training).size();
}
#endif

bool run(const std::string& folder) {
    const ImageDataset images = noise();
    const TrainerOptions options{.batch_size = 4, .label_smoothing = 0.1, .clip_norm = 5, .average = AverageOptions{}};
    Trainer<Net> trainer{SgdOptions{.learning_rate = 0.1, .momentum = 0.9, .weight_decay = 5e-4}, options};
    train(trainer, images, folder);
    trainer.save_checkpoint(folder + "/run.checkpoint");
    Trainer<Net> again{SgdOptions{.learning_rate = 0.1, .momentum = 0.9, .weight_decay = 5e-4}, options};
    again.restore(folder + "/run.checkpoint");
    trainer.save_weights(folder + "/weights.safetensors");
    write_onnx(folder + "/net.onnx", trainer.weights());

    Model<Net> model;
    model.load(folder + "/weights.safetensors");
    std::vector<float> input(static_cast<std::size_t>(2 * input_shape<Net>.elements()), 0.5f);
    std::printf("%g\n", static_cast<double>(softmax(model(input), 10)[0]));
    report(model, input);
#if defined(TENON_USER_IMAGES)
    if (std::filesystem::exists(folder + "/cat.jpg"))
        std::printf("%d %zu\n", classify(model, folder + "/cat.jpg"), read_all(folder));
#endif
    return std::ranges::equal(again.weights().values(), trainer.weights().values());
}

}  // namespace

int main(int count, char** arguments) {
    try {
        const bool same = run(count > 1 ? arguments[1] : ".");
        std::puts(same ? "the checkpoint came back" : "the checkpoint is another");
        return same ? 0 : 1;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "%s\n", error.what());
        return 1;
    }
}
