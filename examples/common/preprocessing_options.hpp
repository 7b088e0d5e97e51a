// The options of the command line that replace parts of a network's preprocessing: weights may have been trained with
// other means, or on the complete photo, and a network says nothing about a wrong one but errs more often.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

#include <CLI/CLI.hpp>

#include <tenon/data.hpp>
#include <tenon/training.hpp>

/// As they were given; what wasn't given is the network's.
struct PreprocessingOptions {
    std::string mean, deviation, scale, crop, filter, order;
    std::optional<int> resize;
};

namespace preprocessing {

/// The number that a text spells, or a fraction: `0.5`, `1/255`.
inline double number(const std::string& option, std::string_view text) {
    const std::size_t slash = text.find('/');
    const std::optional<double> value = tenon::programs::parse_number<double>(text.substr(0, slash));
    const std::optional<double> divisor =
        slash == std::string_view::npos ? 1.0 : tenon::programs::parse_number<double>(text.substr(slash + 1));
    if (!value || !divisor || *divisor == 0)
        throw tenon::Error(option + ": expected numbers or fractions such as 0.5 or 1/255, found " + std::string(text));
    return *value / *divisor;
}

/// One number for all channels, or one for each of three: `0.5`, `0.485,0.456,0.406`.
inline std::array<float, 3> per_channel(const std::string& option, std::string_view text) {
    std::array<float, 3> values{};
    std::size_t count = 0;
    const std::string all(text);
    for (bool more = true; more; ++count) {
        const std::size_t comma = text.find(',');
        more = comma != std::string_view::npos;
        if (count < values.size()) values[count] = static_cast<float>(number(option, text.substr(0, comma)));
        text.remove_prefix(more ? comma + 1 : text.size());
    }
    if (count != 1 && count != values.size())
        throw tenon::Error(option + ": expected one number or three with commas between them, found " + all);
    if (count == 1) values[1] = values[2] = values[0];
    return values;
}

inline std::string text_of(const std::array<float, 3>& values, int channels) {
    std::string text;
    for (std::size_t i = 0; i < static_cast<std::size_t>(channels); ++i)
        text += (text.empty() ? "" : ",") + tenon::programs::number_text(values[i], std::chars_format::general, 6);
    return text;
}

}  // namespace preprocessing

inline void add_preprocessing_options(CLI::App& app, PreprocessingOptions& options) {
    const auto group = [](CLI::Option* option) {
        option->group("Preprocessing, where the weights need another than the network's");
    };
    group(app.add_option("--scale", options.scale, "What samples from 0 to 255 are multiplied by: 1/255, 1")
              ->type_name("NUMBER"));
    group(app.add_option("--mean", options.mean, "What is then subtracted: 0.5 or 0.485,0.456,0.406")
              ->type_name("NUMBERS"));
    group(app.add_option("--deviation", options.deviation, "What the rest is divided by: 0.5 or 0.229,0.224,0.225")
              ->type_name("NUMBERS"));
    group(app.add_option("--channels", options.order, "The order of channels, means and deviations: rgb or bgr")
              ->check(CLI::IsMember({"rgb", "bgr"})));
    group(app.add_flag_callback(
        "--bgr", [&options] { options.order = "bgr"; }, "As --channels bgr"));
    group(app.add_option("--resize", options.resize,
                         "The length of the shorter side before the middle is cut out; 0: as it is")
              ->check(CLI::Range(0, 100'000)));
    group(app.add_option("--crop", options.crop, "center: the middle is cut out; none: all of the image is stretched")
              ->check(CLI::IsMember({"center", "none"})));
    group(app.add_option("--filter", options.filter, "How images are resized: bilinear, bicubic or lanczos")
              ->check(CLI::IsMember({"bilinear", "bicubic", "lanczos"})));
}

/// A network's preprocessing with the options that were given. Throws tenon::Error when one can't be read, and as
/// preprocess does when one is out of range.
inline tenon::Preprocessing chosen_preprocessing(tenon::Preprocessing result, const PreprocessingOptions& options) {
    using tenon::ResizeFilter;
    if (!options.scale.empty()) result.scale = preprocessing::number("--scale", options.scale);
    if (!options.mean.empty()) result.mean = preprocessing::per_channel("--mean", options.mean);
    if (!options.deviation.empty())
        result.standard_deviation = preprocessing::per_channel("--deviation", options.deviation);
    if (!options.order.empty())
        result.order = options.order == "bgr" ? tenon::ChannelOrder::bgr : tenon::ChannelOrder::rgb;
    if (options.resize) result.resize = *options.resize;
    if (!options.crop.empty()) result.stretch = options.crop == "none";
    if (!options.filter.empty())
        result.filter = options.filter == "bicubic"   ? ResizeFilter::bicubic
                        : options.filter == "lanczos" ? ResizeFilter::lanczos
                                                      : ResizeFilter::bilinear;
    tenon::programs::check_preprocessing(result);
    return result;
}

namespace preprocessing {

/// Where weights that were trained with options keep them: `resize=0 mean=0.5`.
inline constexpr std::string_view metadata_key = "preprocessing";

/// Calls each(name, text) for the options that are texts.
template <class Options, class Each>
void for_texts(Options& options, const Each& each) {
    each("scale", options.scale);
    each("mean", options.mean);
    each("deviation", options.deviation);
    each("channels", options.order);
    each("crop", options.crop);
    each("filter", options.filter);
}

/// Writes the options that were given into a file's metadata.
inline void write(const PreprocessingOptions& options, tenon::Metadata& metadata) {
    std::string text = options.resize ? "resize=" + std::to_string(*options.resize) : "";
    for_texts(options, [&](const char* name, const std::string& value) {
        if (value.empty()) return;
        text += text.empty() ? "" : " ";
        text += name;
        text += '=' + value;
    });
    metadata.erase(std::string(metadata_key));
    if (!text.empty()) metadata[std::string(metadata_key)] = text;
}

/// The options in the metadata of the file `path`; those of `given` come first. Throws tenon::Error, naming the file,
/// when they are none.
inline PreprocessingOptions with_those_of_file(PreprocessingOptions given, const tenon::Metadata& metadata,
                                               const std::string& path) {
    const auto found = metadata.find(metadata_key);
    if (found == metadata.end()) return given;
    const auto is_one_of = [](const std::string& text, std::initializer_list<std::string_view> words) {
        return text.empty() || std::ranges::find(words, text) != words.end();
    };
    PreprocessingOptions stored;
    std::string_view rest = found->second;
    bool is_right = true;
    while (is_right && !rest.empty()) {
        const std::string_view option = rest.substr(0, rest.find(' '));
        rest.remove_prefix(std::min(option.size() + 1, rest.size()));
        const std::size_t sign = std::min(option.find('='), option.size());
        const std::string_view name = option.substr(0, sign), value = option.substr(std::min(sign + 1, option.size()));
        is_right = false;
        if (name == "resize") {
            stored.resize = tenon::programs::parse_number<int>(value);
            is_right = stored.resize && *stored.resize >= 0;
        }
        for_texts(stored, [&](std::string_view each, std::string& text) {
            if (each != name) return;
            text = value;
            is_right = !value.empty();
        });
    }
    if (!is_right || !is_one_of(stored.order, {"rgb", "bgr"}) || !is_one_of(stored.crop, {"center", "none"}) ||
        !is_one_of(stored.filter, {"bilinear", "bicubic", "lanczos"}))
        throw tenon::Error(path +
                           ": expected options such as resize=256 mean=0.5 under 'preprocessing' in the "
                           "file's metadata, found " +
                           tenon::programs::to_utf8(found->second.substr(0, 200)));
    if (!given.resize) given.resize = stored.resize;
    const auto take = [](std::string& text, const std::string& other) {
        if (text.empty()) text = other;
    };
    take(given.scale, stored.scale);
    take(given.mean, stored.mean);
    take(given.deviation, stored.deviation);
    take(given.order, stored.order);
    take(given.crop, stored.crop);
    take(given.filter, stored.filter);
    return given;
}

}  // namespace preprocessing

/// `shorter side 256 (bilinear), middle 224 x 224, rgb, x 0.00392157 - 0.485,0.456,0.406, / 0.229,0.224,0.225`
inline std::string to_string(const tenon::Preprocessing& options) {
    const std::string size = std::to_string(options.crop_height) + " x " + std::to_string(options.crop_width);
    const std::string filter = options.filter == tenon::ResizeFilter::bicubic   ? " (bicubic)"
                               : options.filter == tenon::ResizeFilter::lanczos ? " (lanczos)"
                                                                                : " (bilinear)";
    std::string text = options.stretch ? "stretched to " + size + filter
                       : options.resize > 0
                           ? "shorter side " + std::to_string(options.resize) + filter + ", middle " + size
                           : "middle " + size;
    text += options.channels == 1 ? ", gray" : options.order == tenon::ChannelOrder::rgb ? ", rgb" : ", bgr";
    return text + ", x " + tenon::programs::number_text(options.scale, std::chars_format::general, 6) + " - " +
           preprocessing::text_of(options.mean, options.channels) + ", / " +
           preprocessing::text_of(options.standard_deviation, options.channels);
}
