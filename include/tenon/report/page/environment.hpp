#pragma once
// IWYU pragma: private, include <tenon/report.hpp>

// What a report says of the machine and of a data set.

#include <algorithm>
#include <cstddef>
#include <ctime>
#include <fstream>
#include <string>
#include <vector>

#include <sys/utsname.h>

#include <tenon/core/available_threads.hpp>
#include <tenon/core/index.hpp>
#include <tenon/core/isa.hpp>
#include <tenon/core/number_text.hpp>
#include <tenon/core/shape.hpp>
#include <tenon/version.hpp>

namespace tenon {
namespace reports {

/// A line of a report: a name and what it is.
struct Fact {
    std::string name, value;
};

inline namespace TENON_ISA_NAMESPACE {

/// The library, the compiler, the processor, the system and the time (UTC).
template <class Once = void>
std::vector<Fact> environment() {
    std::vector<Fact> facts;
    const auto version = [](int part) { return std::to_string(part); };
    facts.push_back({"tenon", version(TENON_VERSION_MAJOR) + "." + version(TENON_VERSION_MINOR) + "." +
                                  version(TENON_VERSION_PATCH) + ", instruction set " + detail::isa_name});
#if defined(__clang__)
    facts.push_back({"compiler", __VERSION__});
#else
    facts.push_back({"compiler", std::string("GCC ").append(__VERSION__)});
#endif
    std::ifstream processors("/proc/cpuinfo");
    for (std::string line; std::getline(processors, line);)
        if (line.starts_with("model name")) {
            facts.push_back({"processor", line.substr(std::min(line.find(':') + 2, line.size()))});
            break;
        }
    facts.push_back({"available threads", std::to_string(detail::available_threads())});
    utsname system{};
    if (uname(&system) == 0)
        facts.push_back({"system", std::string(system.sysname) + " " + system.release + ", " + system.machine});
    const std::time_t now = std::time(nullptr);
    std::tm parts{};
    char text[40]{};
    if (gmtime_r(&now, &parts) && std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S UTC", &parts) > 0)
        facts.push_back({"written", text});
    return facts;
}

/// The images, classes and sizes of a labeled data set: `name` comes before each fact's name, `training images`.
template <class Dataset>
std::vector<Fact> data_facts(const std::string& name, const Dataset& dataset) {
    std::vector<long> counts;
    for (std::size_t i = 0; i < dataset.size(); ++i) {
        const auto label = detail::index(dataset.label(i));
        if (label >= counts.size()) counts.resize(label + 1);
        ++counts[label];
    }
    std::vector<Fact> facts{{name + " images", std::to_string(dataset.size())}};
    if (counts.empty()) return facts;
    const auto [least, most] = std::ranges::minmax(counts);
    facts.push_back({name + " images per class",
                     least == most ? std::to_string(most) : std::to_string(least) + " to " + std::to_string(most)});
    return facts;
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace reports
}  // namespace tenon
