#pragma once
// IWYU pragma: private, include <tenon/inference.hpp>

// Finds the weights in what torch.save was given: a state_dict, or a checkpoint that has one somewhere in it.

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <tenon/core/cold.hpp>
#include <tenon/core/error.hpp>
#include <tenon/core/index.hpp>
#include <tenon/core/isa.hpp>
#include <tenon/core/names.hpp>
#include <tenon/core/sentence.hpp>
#include <tenon/core/span_of.hpp>
#include <tenon/io/pickle_value.hpp>
#include <tenon/io/tensor_file_options.hpp>

namespace tenon::detail {
inline namespace TENON_ISA_NAMESPACE {

/// Under which a checkpoint holds the weights, the first that it has. Averaged ones come first, as timm reads them.
inline constexpr std::string_view usual_keys[] = {
    "state_dict_ema", "model_ema", "ema_state_dict", "ema",    "state_dict",  "model_state_dict", "model",        "net",
    "params_ema",     "params",    "weights",        "module", "model_state", "network",          "model_weights"};

/// A dictionary with tensors in a checkpoint.
struct StateDict {
    std::string key;  ///< the keys that lead to it, `model.state_dict`; empty for the whole content
    const PickleValue* dictionary = nullptr;
    std::size_t tensors = 0;

    /// Its place among the usual keys; after all of them for another.
    TENON_COLD std::size_t rank() const {
        const std::string_view last = std::string_view(key).substr(key.rfind('.') + 1);  // npos + 1 is 0
        std::size_t place = 0;
        while (place < std::size(usual_keys) && usual_keys[place] != last) ++place;
        return is_optimizer() ? std::size(usual_keys) + 1 : place;
    }
    bool is_optimizer() const { return key.starts_with("optim"); }  // which remembers tensors, too
};

/// A name as Python writes it: `torch float8_e5m2` -> `torch.float8_e5m2`, in quotes.
template <class Once = void>
TENON_COLD std::string python_name(std::string_view text) {
    std::string name{text};
    for (char& c : name)
        if (c == ' ') c = '.';
    return quote_name(name);
}

/// What such a tensor is: `it is sparse, which isn't read; save it with to_dense()`.
template <class Once = void>
TENON_COLD std::string unread_kind(const PickleValue& value) {
    const std::string_view maker = value.text.substr(value.text.find(' ') + 1);
    if (maker == "_rebuild_sparse_tensor") return "it is sparse, which isn't read; save it with to_dense()";
    if (maker == "_rebuild_qtensor") return "it is quantized, which isn't read; save it with dequantize()";
    if (maker.starts_with("_rebuild_meta_tensor")) return "it has no values, as it was on PyTorch's device meta";
    // Storage, offset, shape, strides, requires_grad, hooks, dtype: for types without a class of storages.
    if (!value.items.empty() && value.items[0]->items.size() > 6 &&
        value.items[0]->items[6]->kind == PickleValue::Kind::global)
        return joined({"its values are of the type ", python_name(value.items[0]->items[6]->text),
                       ", which isn't read; save it with float()"});
    return joined({"it is of a kind that isn't read (", quote_name(maker), ")"});
}

/// The class of an object as Python writes it: `torch.nn.modules.linear.Linear`, in quotes; empty where it isn't known.
template <class Once = void>
TENON_COLD std::string class_of(const PickleValue& value) {
    if (value.kind != PickleValue::Kind::object || value.text.find(' ') == value.text.npos) return {};
    return python_name(value.text);
}

/// Whether an object is an array of NumPy, of any version's modules.
template <class Once = void>
TENON_COLD bool is_numpy_array(const PickleValue& value) {
    return value.kind == PickleValue::Kind::object && value.text.starts_with("numpy") &&
           (value.text.ends_with(" _reconstruct") || value.text.ends_with(" _frombuffer"));
}

/// Calls f(key, value) for each entry of a dictionary whose key is a text.
template <class Once = void>
TENON_COLD void for_each_entry(const PickleValue& dictionary,
                               FunctionRef<void(std::string_view, const PickleValue&)> f) {
    for (std::size_t i = 0; i + 1 < dictionary.items.size(); i += 2)
        if (dictionary.items[i]->kind == PickleValue::Kind::text)
            f(dictionary.items[i]->text, *dictionary.items[i + 1]);
}

/// Finds all dictionaries with tensors, at most `depth` keys below the content.
template <class Once = void>
class StateDictFinderOf {
public:
    TENON_COLD explicit StateDictFinderOf(const PickleValue& content) { visit(content, "", 3); }
    std::vector<StateDict> found;

private:
    /// A dictionary may have several keys, and may hold itself.
    TENON_COLD void visit(const PickleValue& dictionary, const std::string& key, int depth) {
        constexpr std::size_t max_found = 100;
        if (dictionary.kind != PickleValue::Kind::dictionary || found.size() == max_found) return;
        std::ptrdiff_t& tensors = dictionary.tensors;
        const bool is_new = tensors < 0;
        if (is_new) {
            tensors = 0;
            for_each_entry(dictionary, [&](std::string_view, const PickleValue& value) {
                if (value.kind == PickleValue::Kind::tensor || is_unread_tensor(value)) ++tensors;
            });
        }
        if (tensors > 0) found.push_back({key, &dictionary, index(tensors)});
        if (depth == 0 || !is_new) return;
        for_each_entry(dictionary, [&](std::string_view name, const PickleValue& value) {
            constexpr std::size_t max_bytes = 200;  // of a key that can be given
            if (value.kind == PickleValue::Kind::dictionary && name.size() <= max_bytes)
                visit(value, joined({key, key.empty() ? "" : ".", name}), depth - 1);
        });
    }
};
using StateDictFinder = StateDictFinderOf<>;

/// Says which entry of a checkpoint is a complete network instead of its state_dict; empty if none is.
template <class Once = void>
TENON_COLD std::string whole_network(const PickleValue& checkpoint) {
    std::string text;
    for_each_entry(checkpoint, [&](std::string_view key, const PickleValue& value) {
        const std::string name = class_of(value);
        if (text.empty() && !name.empty() && StateDict{std::string(key)}.rank() < std::size(usual_keys))
            text = joined({"; ", quote_name(key), " is an object of ", name, ", which is not read"});
    });
    return text;
}

/// Throws tenon::Error: the content has no dictionary of tensors. Says what it has.
template <class Once = void>
[[noreturn]] TENON_COLD void fail_without_tensors(const PickleValue& content) {
    const char* const advice = "; save one with torch.save(model.state_dict(), path)";
    if (const std::string name = class_of(content); !name.empty())
        throw_error({"expected a state_dict, found an object of ", name, ", which is not read", advice});
    if (content.kind != PickleValue::Kind::dictionary)
        throw_error(
            {"expected a state_dict, a dictionary of names and tensors",
             (content.kind == PickleValue::Kind::tensor || is_unread_tensor(content) ? ", found one tensor" : ""),
             advice});
    std::vector<std::string> keys;
    bool has_arrays = false;
    for_each_entry(content, [&](std::string_view key, const PickleValue& value) {
        add_name(keys, key);
        has_arrays = has_arrays || is_numpy_array(value);
    });
    throw_error({"expected a state_dict, a dictionary of names and tensors, or a checkpoint that has one; found ",
                 keys.empty() ? "no names" : "only ", list_names(keys, 10),
                 has_arrays ? ", of which some are arrays of NumPy, no tensors: save arrays with numpy.savez" : "",
                 whole_network(content), advice});
}

/// The dictionary of weights in a file's content: the one that the options name; else the first that fits; else the
/// first. Usual keys come before others, of which those with more tensors come first. Says which was taken if there
/// was a choice. Throws tenon::Error when there is none.
template <class Once = void>
TENON_COLD const PickleValue& find_weights(const PickleValue& content, const TensorFileOptions& options,
                                           FunctionRef<std::vector<TensorEntry>(const PickleValue&)> describe) {
    const std::vector<StateDict> dictionaries = StateDictFinder{content}.found;
    if (dictionaries.empty()) fail_without_tensors(content);
    const auto is_before = [&](std::size_t i, std::size_t j) {
        const StateDict &a = dictionaries[i], &b = dictionaries[j];
        return a.rank() != b.rank() ? a.rank() < b.rank() : a.tensors > b.tensors;
    };
    const std::vector<std::size_t> order = sorted_order(dictionaries.size(), is_before);
    std::vector<std::string> keys;
    for (const std::size_t i : order) add_name(keys, dictionaries[i].key);
    const StateDict* taken = nullptr;
    if (!options.key.empty()) {
        for (const std::size_t i : order)
            if (!taken && dictionaries[i].key == options.key) taken = &dictionaries[i];
        if (!taken)
            throw_error({"expected a state_dict under ", quote_name(options.key),
                         "; state_dicts are under: ", list_names(keys, 10)});
        return *taken->dictionary;
    }
    if (options.fits)
        for (const std::size_t i : order)
            if (!taken && options.fits(span_of(describe(*dictionaries[i].dictionary)))) taken = &dictionaries[i];
    if (!taken) taken = &dictionaries[order[0]];
    keys.clear();
    for (const std::size_t i : order) {
        const StateDict& other = dictionaries[i];
        if (&other != taken && !other.is_optimizer() && !other.key.empty()) add_name(keys, other.key);
    }
    if (!keys.empty())
        options.note(
            {"the weights under ", quote_name(taken->key), " are taken; the file has others under ", list_names(keys)});
    return *taken->dictionary;
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::detail
