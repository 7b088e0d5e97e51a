// The finished runs, in a JSON file: a program that was stopped resumes with those that are missing.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include <tenon/data.hpp>
#include <tenon/inference.hpp>

/// The results of runs under one budget.
class Results {
public:
    using Json = nlohmann::ordered_json;

    /// Reads the file at `path`, if there is one. Throws tenon::Error when it holds no results, or, naming the
    /// difference, those of another setting.
    Results(std::string path, Json setting) : path_{std::move(path)} {
        document_ = {{"setting", std::move(setting)}, {"runs", Json::array()}};
        if (!std::filesystem::exists(path_)) return;
        constexpr std::size_t max_bytes = 16 << 20;
        const std::vector<std::byte> bytes = tenon::programs::read_file(path_, max_bytes);
        const auto* const text = reinterpret_cast<const char*>(bytes.data());
        Json found = Json::parse(text, text + bytes.size(), nullptr, /*allow_exceptions=*/false);
        if (!found.is_object() || !found["setting"].is_object() || !found["runs"].is_array() ||
            !std::ranges::all_of(found["runs"], &Results::is_run))
            throw tenon::Error(path_ + ": expected the results that ablation wrote, found something else");
        for (const auto& [key, value] : document_["setting"].items())
            if (found["setting"][key] != value)
                throw tenon::Error(path_ + ": expected results with " + key + " " + value.dump() +
                                   ", found ones with " + found["setting"][key].dump() +
                                   "; choose another --output for another setting");
        document_["runs"] = std::move(found["runs"]);
    }

    /// The run of a variant with a seed; nullptr when it isn't finished.
    const Json* find(std::string_view variant, std::uint64_t seed) const {
        for (const Json& run : document_["runs"])
            if (run["variant"] == variant && run["seed"] == seed) return &run;
        return nullptr;
    }

    /// Adds a run and writes the file.
    void add(std::string_view variant, std::uint64_t seed, const Json& result) {
        Json run{{"variant", variant}, {"seed", seed}};
        run.update(result);
        document_["runs"].push_back(std::move(run));
        tenon::programs::write_file_atomically(path_, document_.dump(2) + "\n");
    }

    /// The errors of a variant in percent, sorted; infinity for runs that failed.
    std::vector<double> errors(std::string_view variant) const {
        std::vector<double> found;
        for (const Json& run : document_["runs"])
            if (run["variant"] == variant) found.push_back(run.value("error", std::numeric_limits<double>::infinity()));
        std::ranges::sort(found);
        return found;
    }
    const Json& document() const { return document_; }

private:
    static bool is_run(const Json& run) {
        return run.is_object() && run.contains("variant") && run["variant"].is_string() && run.contains("seed") &&
               run["seed"].is_number_unsigned() && (!run.contains("error") || run["error"].is_number());
    }

    std::string path_;
    Json document_;
};
