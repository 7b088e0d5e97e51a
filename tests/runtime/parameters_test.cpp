// Names, seeds and files of parameters.
#include <algorithm>
#include <cmath>

#include <doctest/doctest.h>

#include <tenon/models/resnet_v1.hpp>
#include <tenon/models/resnet_v2.hpp>
#include <tenon/weights/parameters.hpp>

#include "../support.hpp"

namespace {

using namespace tenon;
using tenon_test::contains;
using tenon_test::error_of;

struct TorchvisionStem : Network<Input<3, 8, 8>, Stem<Conv<4>, BatchNorm>> {
    static constexpr Naming naming = Naming::torchvision;
};

struct MxnetStem : Network<Input<3, 8, 8>, Stem<BatchNormWith<NoAffine>, Conv<4>, BatchNorm>> {
    static constexpr Naming naming = Naming::mxnet;
};

TEST_CASE("names of the listing's state_dict") {
    const std::vector<std::string> names = detail::parameter_names<ResNet50V2<Preact<false>>>();
    CHECK(names[0] == "conv1.conv.weight");
    CHECK(names[1] == "conv1.conv.bias");
    CHECK(names[2] == "conv1.bn.weight");
    CHECK(names[5] == "conv1.bn.running_var");
    CHECK(names[6] == "conv2.conv.0.preact.0.weight");
    CHECK(names[10] == "conv2.conv.0.short.weight");
    CHECK(names.back() == "post.fc.bias");
}

TEST_CASE("names of torchvision") {
    const std::vector<std::string> names = detail::parameter_names<ResNet18<>>();
    CHECK(names[0] == "conv1.weight");
    CHECK(names[1] == "bn1.weight");
    CHECK(names[5] == "layer1.0.conv1.weight");
    CHECK(std::find(names.begin(), names.end(), "layer2.0.downsample.1.running_mean") != names.end());
    CHECK(names.back() == "fc.bias");
}

TEST_CASE("a layer without a name in a convention is an error that names it") {
    struct Other : Network<Input<3, 8, 8>, Conv<4>> {};
    CHECK(contains(error_of([] { detail::parameter_names<Other>(Naming::torchvision); }), "layer conv0 has no name"));
    CHECK(detail::parameter_names<Other>()[0] == "conv0.weight");
}

TEST_CASE("seeds draw by name: the same in any network, other seeds other values") {
    struct One : Network<Input<3, 8, 8>, Conv<4, Kernel<3>, Bias>, BatchNorm> {};
    struct Two : Network<Input<3, 8, 8>, Conv<4, Kernel<3>, Bias>, BatchNorm, ReLU, Conv<2>> {};
    Parameters<One> one, other;
    Parameters<Two> two;
    one.seed(1);
    two.seed(1);
    other.seed(2);
    for (int i = 0; i < one.count(); ++i) {
        CHECK(std::equal(one[i].begin(), one[i].end(), two[i].begin()));
        CHECK(!std::equal(one[i].begin(), one[i].end(), other[i].begin()));
    }
    for (const float variance : one[5]) CHECK((variance >= 0.5f && variance < 1.5f));
    for (const float weight : one[0]) CHECK(std::abs(weight) <= std::sqrt(3.0f / 27));
}

TEST_CASE("torch's counters beside running statistics are passed over, anything else is not") {
    using Net = TorchvisionStem;
    const tenon_test::TemporaryFolder folder;
    Parameters<Net> parameters;
    parameters.seed(1);
    parameters.save(folder.file("plain.safetensors"));
    const SafetensorsFile plain{folder.file("plain.safetensors")};
    std::vector<TensorEntry> tensors = plain.tensors();
    const std::int64_t batches = 100;
    tensors.push_back({"bn1.num_batches_tracked", DType::i64, {}, std::as_bytes(std::span(&batches, 1))});
    write_safetensors(folder.file("counted.safetensors"), tensors, {});
    const Parameters<Net> counted{folder.file("counted.safetensors")};
    CHECK(std::equal(counted[0].begin(), counted[0].end(), parameters[0].begin()));
    tensors.back().name = "bn2.weight";
    write_safetensors(folder.file("more.safetensors"), tensors, {});
    CHECK(contains(error_of([&] { Parameters<Net>{folder.file("more.safetensors")}; }), "\"bn2.weight\""));
}

TEST_CASE("MXNet's count of networks in front of names may be any, but the same in all") {
    using Net = MxnetStem;
    const tenon_test::TemporaryFolder folder;
    Parameters<Net> parameters;
    parameters.seed(1);
    parameters.save(folder.file("written.safetensors"));
    const SafetensorsFile written{folder.file("written.safetensors")};
    CHECK(written.find("resnetv24_batchnorm1_running_mean") != nullptr);
    const auto load_with = [&](const std::string& prefix, const std::string& first_prefix) {
        std::vector<TensorEntry> tensors = written.tensors();
        for (TensorEntry& tensor : tensors) tensor.name.replace(0, 9, prefix);
        tensors[0].name.replace(0, prefix.size(), first_prefix);
        write_safetensors(folder.file("renamed.safetensors"), tensors, {});
        const Parameters<Net> read{folder.file("renamed.safetensors")};
        for (int i = 0; i < read.count(); ++i) CHECK(std::ranges::equal(read[i], parameters[i]));
    };
    for (const std::string prefix : {"resnetv20", "resnetv24", "resnetv2123"}) load_with(prefix, prefix);
    CHECK(contains(error_of([&] { load_with("resnetv20", "resnetv24"); }), "these weights are not this network's"));
    CHECK(contains(error_of([&] { load_with("resnetv2", "resnetv2"); }), "the network needs \"resnetv24_"));
    CHECK(contains(error_of([&] { load_with("other", "other"); }), "the network needs \"resnetv24_"));
}

TEST_CASE("parameters are stored in half precision and read again") {
    const tenon_test::TemporaryFolder folder;
    Parameters<TorchvisionStem> parameters;
    parameters.seed(1);
    parameters[0][0] = 0.1F;
    parameters.save(folder.file("half"), Naming::torchvision, {}, DType::f16);
    const Parameters<TorchvisionStem> read(folder.file("half"));
    for (std::size_t i = 0; i < read.values().size(); ++i)
        CHECK(read.values()[i] == detail::half_to_float(detail::float_to_half(parameters.values()[i])));
    CHECK(read[0][0] != 0.1F);
    CHECK(contains(error_of([&] { parameters.save(folder.file("b"), Naming::torchvision, {}, DType::bf16); }),
                   "b: weights are stored as F32 or F16, not BF16"));
    parameters[0][1] = 1e6F;
    CHECK(contains(error_of([&] { parameters.save(folder.file("half"), Naming::torchvision, {}, DType::f16); }),
                   "in tensor conv1.weight can't be stored in half precision"));
    CHECK(Parameters<TorchvisionStem>(folder.file("half"))[0][0] == read[0][0]);
}

}  // namespace
